import type { Answers } from '../../answers.ts';
import { Negotiation, type Move } from '../../negotiation.ts';
import type { Decoder, Request } from '../../socks5.ts';
import type { Hub } from './hub.ts';

/** What one client says until it has what it wants, and what of it the main thread is asked: its key, its request. */
export class Petition {
  username = '';
  readonly #hub: Hub;
  readonly #id: number;
  readonly #clientAddress: string;
  readonly #product: number;
  readonly #negotiation = new Negotiation();
  #announced = false;

  constructor(hub: Hub, id: number, client: { readonly address: string; readonly product: number }) {
    this.#hub = hub;
    this.#id = id;
    this.#clientAddress = client.address;
    this.#product = client.product;
  }

  /** Reads the next message of the client. */
  get read(): Decoder<Move> {
    return this.#negotiation.read;
  }

  /** How the client is answered. */
  get answers(): Answers {
    return this.#negotiation.answers;
  }

  /** The main thread has heard of the client. */
  get announced(): boolean {
    return this.#announced;
  }

  /** Whether the key was good a moment ago: that is believed for one answer, the request is judged in any case. */
  get believed(): boolean {
    return this.#hub.knows(this.username, this.#product);
  }

  /** Others may be believed who present the key. */
  learn(): void {
    this.#hub.learn(this.username, this.#product);
  }

  authenticate(): void {
    this.#announced = true;
    this.#hub.report(['AUTHENTICATE', this.#id, this.username, this.#clientAddress, this.#product]);
  }

  /** @param http asked for by HTTP CONNECT */
  open({ host, port }: Pick<Request, 'host' | 'port'>, http: boolean): void {
    this.#announced = true;
    this.#hub.report(['OPEN', this.#id, this.username, this.#clientAddress, this.#product, host, port, http]);
  }

  /** @param local literal of this machine's address that the client is connected to */
  associate({ host, port }: Pick<Request, 'host' | 'port'>, local: string): void {
    this.#announced = true;
    this.#hub.report(['ASSOCIATE', this.#id, this.username, this.#clientAddress, this.#product, host, port, local]);
  }
}
