import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

import { normalAddress } from '../../addresses.ts';
import type { Peer } from '../relay/relay.ts';

/** The largest datagram that IPv4 carries: what is longer is not even tried. */
export const MAX_DATAGRAM_BYTES = 65_507;
/** Datagrams, and bytes, that may wait until the kernel takes them; what comes then is dropped, as networks do. */
const MAX_QUEUED = 64;
const MAX_QUEUED_BYTES = 262_144;

/** Where a socket sends from: an address of this machine, or any of one family. */
export type Source = { readonly address: string } | { readonly family: 4 | 6 };

/** Hears what comes. @param address literal as the system writes it */
export type Heard = (payload: Buffer, address: string, port: number) => void;

/**
 * A UDP socket that never resolves anything: the addresses it is given are literals that were checked.
 * It binds at once; what is sent before it is bound goes out behind that.
 */
export class UdpSocket {
  /** Settles when it is bound: the address and port it has. Rejects when it cannot be. */
  readonly bound: Promise<Peer>;
  readonly #socket: Socket;
  #connected = false;
  #closed = false;

  /** @param failed it does not work any more, or never did */
  constructor(source: Source, heard: Heard, failed: () => void) {
    const six = 'address' in source ? isIPv6(source.address) : source.family === 6;
    const address = 'address' in source ? source.address : six ? '::' : '0.0.0.0';
    this.#socket = createSocket({
      type: six ? 'udp6' : 'udp4',
      ipv6Only: six,
      lookup: (literal, _options, found) => found(null, literal, six ? 6 : 4),
    });
    this.#socket.on('message', (payload, { address: from, port }) => heard(payload, from, port));
    this.bound = new Promise((resolve, reject) => {
      this.#socket.once('listening', () => {
        const { address: local, port } = this.#socket.address();
        resolve({ address: normalAddress(local) ?? local, port });
      });
      this.#socket.on('error', (error: NodeJS.ErrnoException) => {
        // The peer's system refuses datagrams (ICMP): those are lost, and the next ones may arrive.
        if (this.#connected && error.syscall === 'recvmsg') return;
        reject(error);
        failed();
      });
    });
    // Whoever waits for it hears of it; nobody has to.
    this.bound.catch(() => undefined);
    this.#socket.bind({ address, port: 0, exclusive: true });
  }

  /** Too much waits for the kernel: what is sent now would have to wait behind it. */
  get full(): boolean {
    return this.#socket.getSendQueueCount() >= MAX_QUEUED || this.#socket.getSendQueueSize() >= MAX_QUEUED_BYTES;
  }

  /**
   * From now on the kernel takes datagrams of this peer alone, and all that is sent goes there; what others
   * have sent before may still be heard. Once, and only when it is bound.
   * @throws Error when there is no way to it; the socket has failed then
   */
  connect({ address, port }: Peer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.once('connect', () => {
        this.#connected = true;
        this.#socket.off('error', reject);
        resolve();
      });
      this.#socket.connect(port, address);
    });
  }

  /**
   * Sends one datagram. A connected socket sends it to its peer, whatever the address.
   * @param parts one behind the other
   * @param sent once, with what the kernel had against it
   */
  send(parts: readonly Uint8Array[], { address, port }: Peer, sent: (error: Error | null) => void): void {
    if (this.#connected) this.#socket.send([...parts], sent);
    else this.#socket.send([...parts], port, address, sent);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
