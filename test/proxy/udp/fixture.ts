import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

import { decodeDatagram, encodeHeader, type Datagram } from '../../../src/proxy/udp/datagram.ts';
import { RawClient } from '../../harness/socks.ts';
import { GREETING, KEY, login } from '../../harness/socksMessages.ts';

/** Milliseconds within which nothing must come, where that is what is claimed. */
const SILENCE_MS = 100;

export interface UdpPeer extends AsyncDisposable {
  readonly port: number;
  /** What came, in order. */
  readonly received: Buffer[];
  /** Ports they came from. */
  readonly senders: RemoteInfo[];
  /** Payload that came, and that was sent, as it is billed: an empty datagram is a byte. */
  readonly bytes: { in: number; out: number };
  send(payload: Uint8Array, to: { readonly port: number; readonly address: string }): void;
}

/** A UDP server on a free port. @param serve what to answer; the same when absent */
export async function startUdpPeer(
  serve: (payload: Buffer) => readonly Uint8Array[] = (payload) => [payload],
  host = '127.0.0.1',
): Promise<UdpPeer> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4').bind(0, host);
  await once(socket, 'listening');
  const peer = { port: socket.address().port, received: [] as Buffer[], senders: [] as RemoteInfo[] };
  const bytes = { in: 0, out: 0 };
  const send: UdpPeer['send'] = (payload, { port, address }) => {
    bytes.out += Math.max(1, payload.length);
    socket.send(payload, port, address);
  };
  socket.on('message', (payload, from) => {
    peer.received.push(payload);
    peer.senders.push(from);
    bytes.in += Math.max(1, payload.length);
    for (const answer of serve(payload)) send(answer, from);
  });
  return { ...peer, bytes, send, [Symbol.asyncDispose]: () => closed(socket) };
}

async function closed(socket: Socket): Promise<void> {
  socket.close();
  await once(socket, 'close');
}

/** The request for an association. @param named where the client says that it will send from */
export function associateRequest(named: { host?: string; port?: number } = {}): Buffer {
  return Buffer.from([5, 3, ...encodeHeader(named.host ?? '0.0.0.0', named.port ?? 0).subarray(2)]);
}

/** Where the answer to a datagram is looked for. */
export function wrapped(host: string, port: number, payload: Uint8Array): Buffer {
  return Buffer.concat([encodeHeader(host, port), payload]);
}

/** The same with a name. */
export function wrappedName(name: string, port: number, payload: Uint8Array): Buffer {
  const head = Buffer.concat([Buffer.of(0, 0, 0, 3, name.length), Buffer.from(name), Buffer.of(port >> 8, port & 255)]);
  return Buffer.concat([head, payload]);
}

export interface AssociationOptions {
  readonly host?: string;
  readonly username?: string;
  readonly named?: { readonly host?: string; readonly port?: number };
}

/** A SOCKS client with an association, and a socket to send from. */
export class UdpClient implements AsyncDisposable {
  readonly control: RawClient;
  /** Sends, and receives. */
  socket: Socket;
  /** Where datagrams go to. */
  readonly relay: { readonly address: string; readonly port: number };
  readonly #received: Buffer[] = [];
  #arrived: () => void = () => undefined;

  private constructor(control: RawClient, socket: Socket, relay: UdpClient['relay']) {
    this.control = control;
    this.socket = socket;
    this.relay = relay;
    this.#listen();
  }

  /** Sends from another socket from now on. @returns the one until now */
  replace(socket: Socket): Socket {
    const before = this.socket;
    this.socket = socket;
    this.#listen();
    return before;
  }

  #listen(): void {
    this.socket.on('message', (bytes) => {
      this.#received.push(bytes);
      this.#arrived();
    });
  }

  /** @throws Error `reply N` when it is refused */
  static async open(proxyPort: number, options: AssociationOptions = {}): Promise<UdpClient> {
    const { host = '127.0.0.1', username = KEY, named } = options;
    const control = new RawClient(proxyPort, host);
    control.send(GREETING, login(username), associateRequest(named));
    const [, , , , , code = 255, , type] = [...(await control.take(4)), ...(await control.take(4))];
    const rest = await control.take(type === 4 ? 18 : 6);
    if (code !== 0) {
      control.socket.destroy();
      throw new Error(`reply ${code}`);
    }
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4').bind(named?.port ?? 0, host);
    await once(socket, 'listening');
    const address = decodeDatagram(Buffer.concat([Buffer.of(0, 0, 0, type ?? 0), rest]));
    return new UdpClient(control, socket, { address: address?.host ?? '', port: address?.port ?? 0 });
  }

  /** Sends bytes as they are. */
  raw(bytes: Uint8Array, from: Socket = this.socket): void {
    from.send(bytes, this.relay.port, this.relay.address);
  }

  send(payload: Uint8Array | string, port: number, host = '127.0.0.1'): void {
    this.raw(wrapped(host, port, Buffer.from(payload)));
  }

  async receive(): Promise<Datagram> {
    while (this.#received.length === 0) await new Promise<void>((resolve) => (this.#arrived = resolve));
    const datagram = decodeDatagram(this.#received.shift() ?? Buffer.alloc(0));
    if (datagram === undefined) throw new Error('the answer is malformed');
    return datagram;
  }

  /** What came and was not taken, after some time in which more could have come. */
  async silence(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    return this.#received.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.control.socket.destroy();
    await closed(this.socket);
  }
}
