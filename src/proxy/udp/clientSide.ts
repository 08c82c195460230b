import { normalAddress } from '../../addresses.ts';
import type { Peer } from '../relay/relay.ts';
import { decodeDatagram, type Datagram } from './datagram.ts';
import { UdpSocket } from './socket.ts';

export interface ClientSidePlan {
  /** Address of this machine at which the client reached us. */
  readonly local: string;
  /** Literal from which its TCP connection came, in its normal form: nobody else is heard. */
  readonly clientAddress: string;
  /** Port that it said it would send from (DST.PORT of its request); undefined: any. */
  readonly clientPort: number | undefined;
}

/** The socket of an association to which its client sends, and at which nobody else is heard. */
export class ClientSide {
  readonly #plan: ClientSidePlan;
  readonly #socket: UdpSocket;
  readonly #heard: (datagram: Datagram) => void;
  /** Set by the first datagram that is well-formed. */
  #client: Peer | undefined;

  /** @param failed it does not work any more, or never did */
  constructor(plan: ClientSidePlan, heard: (datagram: Datagram) => void, failed: () => void) {
    this.#plan = plan;
    this.#heard = heard;
    this.#socket = new UdpSocket(
      { address: plan.local },
      (bytes, address, port) => this.#receive(bytes, address, port),
      failed,
    );
  }

  /** Where the client is to send its datagrams. */
  get bound(): Promise<Peer> {
    return this.#socket.bound;
  }

  get full(): boolean {
    return this.#socket.full;
  }

  /** @param sent once, with what the kernel had against it */
  send(header: Uint8Array, payload: Buffer, sent: (error: Error | null) => void): void {
    // Answers come only to those who have asked.
    if (this.#client !== undefined) this.#socket.send([header, payload], this.#client, sent);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(bytes: Buffer, address: string, port: number): void {
    if (!this.#expects(address, port)) return;
    const datagram = decodeDatagram(bytes);
    if (datagram === undefined) return;
    if (this.#client === undefined) {
      this.#client = { address, port };
      // Others are turned away by the kernel, at no cost to us. Where that fails, the socket has failed.
      this.#socket.connect(this.#client).catch(() => undefined);
    }
    this.#heard(datagram);
  }

  #expects(address: string, port: number): boolean {
    if (this.#client !== undefined) return this.#client.port === port && this.#client.address === address;
    const { clientAddress, clientPort } = this.#plan;
    return port !== 0 && (clientPort ?? port) === port && normalAddress(address) === clientAddress;
  }
}
