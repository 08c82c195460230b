import { isIPv4 } from 'node:net';

import { isUpstream } from '../exits/attempt.ts';
import type { ExitSpec, UpstreamSpec } from '../exits/config.ts';
import type { Peer } from '../relay/relay.ts';
import { UdpSocket, type Heard } from './socket.ts';

/** What an association needs of its side towards the targets. */
export interface Outward {
  /** Whether datagrams can go to an address of this family. */
  reaches(address: string): boolean;
  /** Too much waits for the kernel: what is sent to this address now is dropped. */
  full(address: string): boolean;
  /** @param sent once, with what the kernel had against it */
  send(payload: Buffer, target: Peer, sent: (error: Error | null) => void): void;
  close(): void;
}

/** What hears of an outward side. */
export interface OutwardListeners {
  readonly heard: Heard;
  /** A socket does not work any more, or never did. */
  readonly failed: () => void;
}

type LocalSpec = Exclude<ExitSpec, UpstreamSpec>;

/** Opens the side of an association towards the targets. @returns why the exit does not do its work, when it does not */
export async function openOutward(
  spec: ExitSpec,
  listeners: OutwardListeners,
): Promise<Outward | { readonly fault: string }> {
  if (isUpstream(spec)) return { fault: 'UDP: not through an upstream proxy' };
  const outward = new LocalOutward(spec, listeners);
  try {
    await outward.begin();
    return outward;
  } catch {
    outward.close();
    return { fault: 'UDP: LOCAL_ADDRESS_MISSING' };
  }
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

  /** Opens the one socket of an exit that is an address: whether that is one of this machine shows at once. @throws Error */
  async begin(): Promise<void> {
    if (this.#spec.kind === 'BIND') await this.#socket(this.#spec.address).bound;
    this.#begun = true;
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
