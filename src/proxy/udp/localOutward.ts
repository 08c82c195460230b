import { isIPv4 } from 'node:net';

import type { ExitSpec, UpstreamSpec } from '../exits/config.ts';
import type { Peer } from '../relay/relay.ts';
import { openingFault } from './openingFault.ts';
import type { Outward, OutwardFault, OutwardListeners } from './outward.ts';
import { UdpSocket } from './socket.ts';

/** An exit that is this machine. */
export type LocalSpec = Exclude<ExitSpec, UpstreamSpec>;

/** Opens the one socket of an exit that is an address: whether that is one of this machine shows at once. */
export async function openLocal(spec: LocalSpec, listeners: OutwardListeners): Promise<Outward | OutwardFault> {
  const outward = new LocalOutward(spec, listeners);
  const fault = await outward.begin();
  if (fault === undefined) return outward;
  outward.close();
  return fault;
}

/** Datagrams from this machine: one socket per address family, opened when the first datagram goes there. */
class LocalOutward implements Outward {
  readonly #spec: LocalSpec;
  readonly #listeners: OutwardListeners;
  #four: UdpSocket | undefined;
  #six: UdpSocket | undefined;
  /** It works: from now on it is told when it does not any more. */
  #begun = false;

  constructor(spec: LocalSpec, listeners: OutwardListeners) {
    this.#spec = spec;
    this.#listeners = listeners;
  }

  /** @returns why the address of the exit cannot be used */
  async begin(): Promise<OutwardFault | undefined> {
    if (this.#spec.kind === 'BIND') {
      const { address } = this.#spec;
      try {
        await this.#socket(address).bound;
      } catch (error) {
        return openingFault(error, address);
      }
    }
    this.#begun = true;
    return undefined;
  }

  reaches(address: string): boolean {
    return this.#spec.kind === 'DIRECT' || isIPv4(this.#spec.address) === isIPv4(address);
  }

  full(address: string): boolean {
    return this.#socket(address).full;
  }

  send(payload: Buffer, target: Peer, sent: (error: Error | null) => void): void {
    this.#socket(target.address).send([payload], target, sent);
  }

  close(): void {
    this.#four?.close();
    this.#six?.close();
  }

  #socket(address: string): UdpSocket {
    return isIPv4(address) ? (this.#four ??= this.#open(4)) : (this.#six ??= this.#open(6));
  }

  #open(family: 4 | 6): UdpSocket {
    const source = this.#spec.kind === 'BIND' ? { address: this.#spec.address } : { family };
    const { heard, failed } = this.#listeners;
    return new UdpSocket(source, heard, () => {
      if (this.#begun) failed();
    });
  }
}
