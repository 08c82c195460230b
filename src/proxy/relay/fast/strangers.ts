import { MAX_STRANGERS } from '../../limits.ts';

/** How many of the oldest make room at once, so that not every client costs a look at all of them. */
const ROOM = 256;

/** A client that may not have shown a valid key yet. */
interface Stranger {
  readonly anonymous: boolean;
  abort(): void;
}

/** Clients without a valid key: whoever floods with handshakes takes the place of the oldest, not of customers. */
export class Strangers {
  readonly #find: (id: number) => Stranger | undefined;
  /** In the order in which they came; some have moved on. */
  #ids: number[] = [];

  /** @param find what is still open under an id */
  constructor(find: (id: number) => Stranger | undefined) {
    this.#find = find;
  }

  add(id: number): void {
    this.#ids.push(id);
    if (this.#ids.length > MAX_STRANGERS) this.#makeRoom();
  }

  /** Forgets those that are through; if too many are not, the oldest go. */
  #makeRoom(): void {
    const strangers = this.#ids.filter((id) => this.#find(id)?.anonymous === true);
    const excess = strangers.length > MAX_STRANGERS - ROOM ? ROOM : 0;
    for (const id of strangers.slice(0, excess)) this.#find(id)?.abort();
    this.#ids = strangers.slice(excess);
  }
}
