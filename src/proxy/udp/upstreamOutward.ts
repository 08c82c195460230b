import { isIPv4 } from 'node:net';

import { normalAddress, UNSPECIFIED } from '../../addresses.ts';
import { beginAssociation } from '../exits/attempt.ts';
import type { UpstreamSpec } from '../exits/config.ts';
import { enterUpstream } from '../exits/depart.ts';
import { CONNECT_TIMEOUT_MS } from '../limits.ts';
import { createPortableRelay } from '../relay/portable.ts';
import type { SocketEnd } from '../relay/reader.ts';
import type { Peer } from '../relay/relay.ts';
import type { Request } from '../socks5.ts';
import { decodeDatagram } from './datagram.ts';
import { openingFault } from './openingFault.ts';
import type { Outward, OutwardFault, OutwardListeners, OutwardMeans } from './outward.ts';
import type { Correspondent } from './peers.ts';
import { UdpSocket } from './socket.ts';

/** Dials upstream proxies, whatever relays tunnels: an association's TCP connection carries nothing. */
const relay = createPortableRelay();

const UNUSABLE: OutwardFault = { blame: 'EXIT', detail: 'SOCKS5: an address for datagrams that cannot be used' };

/** Opens an association at an upstream proxy. */
export async function openUpstream(
  spec: UpstreamSpec,
  means: OutwardMeans,
  listeners: OutwardListeners,
): Promise<Outward | OutwardFault> {
  const handshake = beginAssociation(spec);
  const entered = await enterUpstream(spec, handshake, CONNECT_TIMEOUT_MS, { ...means, relay });
  if ('setback' in entered) return entered.setback;
  const { endpoint } = entered;
  const relayedAt = await usable(handshake.bound, endpoint, means);
  if (relayedAt === undefined) {
    relay.discard(endpoint);
    return UNUSABLE;
  }
  const outward = new UpstreamOutward(endpoint, relayedAt, listeners);
  const fault = await outward.begin();
  if (fault === undefined) return outward;
  outward.close();
  return fault;
}

/**
 * Where the upstream proxy takes datagrams: at the address at which it was reached, or at one to which anybody
 * may send. It does not choose who else gets what our customers write. Never where we listen ourselves.
 */
async function usable(
  bound: Pick<Request, 'host' | 'port'> | undefined,
  { socket }: SocketEnd,
  { fence, resolveUpstream }: OutwardMeans,
): Promise<Peer | undefined> {
  if (bound === undefined || bound.port === 0) return undefined;
  const { port } = bound;
  const reachedAt = normalAddress(socket.remoteAddress ?? '') ?? '';
  const named = normalAddress(bound.host) ?? bound.host;
  // A proxy that names no address means the one at which it was reached.
  const address = UNSPECIFIED.has(named) ? reachedAt : named;
  if (address !== reachedAt) return fence.permits(address, port) ? { address, port } : undefined;
  const resolved = await resolveUpstream(address, port);
  return 'addresses' in resolved ? { address: resolved.addresses[0], port } : undefined;
}

/** Datagrams through an upstream proxy, as long as it keeps the TCP connection of their association open. */
class UpstreamOutward implements Outward {
  readonly #endpoint: SocketEnd;
  readonly #relayedAt: Peer;
  readonly #listeners: OutwardListeners;
  readonly #socket: UdpSocket;
  /** It works: from now on it is told when it does not any more. */
  #begun = false;
  #broken = false;

  constructor(endpoint: SocketEnd, relayedAt: Peer, listeners: OutwardListeners) {
    this.#endpoint = endpoint;
    this.#relayedAt = relayedAt;
    this.#listeners = listeners;
    const failed = (): void => {
      this.#broken = true;
      if (this.#begun) listeners.failed();
    };
    const source = { family: isIPv4(relayedAt.address) ? 4 : 6 } as const;
    this.#socket = new UdpSocket(source, (...heard) => this.#receive(...heard), failed);
    const { socket, reader } = endpoint;
    // Nothing is to come; what does come is thrown away, so that the end behind it is seen.
    if (reader !== undefined) {
      reader.receive = () => true;
      reader.buffer.busy = false;
    }
    socket.on('end', failed).on('close', failed).resume();
    if (socket.destroyed) failed();
  }

  /** @returns why there is no way to where it takes datagrams, or that it has gone */
  async begin(): Promise<OutwardFault | undefined> {
    try {
      await this.#socket.bound;
    } catch (error) {
      return openingFault(error, this.#relayedAt.address);
    }
    await this.#socket.connect(this.#relayedAt).catch(() => (this.#broken = true));
    this.#begun = !this.#broken;
    return this.#begun ? undefined : UNUSABLE;
  }

  /** It has addresses of its own. */
  reaches(): boolean {
    return true;
  }

  full(): boolean {
    return this.#socket.full;
  }

  send(payload: Buffer, { header }: Correspondent, sent: (error: Error | null) => void): void {
    this.#socket.send([header, payload], this.#relayedAt, sent);
  }

  close(): void {
    this.#socket.close();
    relay.discard(this.#endpoint);
  }

  #receive(bytes: Buffer, address: string, port: number): void {
    const { address: expected, port: expectedPort } = this.#relayedAt;
    if (port !== expectedPort || normalAddress(address) !== expected) return;
    const datagram = decodeDatagram(bytes);
    if (datagram !== undefined) this.#listeners.heard(datagram.payload, datagram.host, datagram.port);
  }
}
