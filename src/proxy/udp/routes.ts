import { isIPv4, isIPv6 } from 'node:net';

import { normalAddress } from '../../addresses.ts';
import type { Fence, Resolved } from '../../egress.ts';
import { Names } from './names.ts';
import { Peers, type Correspondent } from './peers.ts';
import type { RelayPorts } from './relayPorts.ts';

export interface RoutesPlan {
  readonly fence: Fence;
  readonly relayPorts: RelayPorts;
  /** Key of the association. */
  readonly keyId: bigint;
  /** Whether the exit can send to an address of this family. */
  readonly reaches: (address: string) => boolean;
  /** The fence, or that it is a listener of ours, forbids a destination. */
  readonly forbidden: () => void;
}

/** Where the datagrams of one association may go, and from whom they may come. */
export class Routes {
  readonly #plan: RoutesPlan;
  readonly #names: Names;
  readonly #peers = new Peers();

  constructor(plan: RoutesPlan) {
    this.#plan = plan;
    this.#names = new Names((host, port) => plan.fence.resolve(host, port, plan.keyId));
  }

  /**
   * The checked address that a datagram is to be sent to; its answers are let in from then on.
   * @param host name or literal, as the client wrote it
   * @returns undefined when it must not, or cannot, go there; a promise while a name is looked up
   */
  find(host: string, port: number): Correspondent | undefined | Promise<Correspondent | undefined> {
    if (isIPv4(host)) return this.#literal(host, port);
    if (isIPv6(host)) return this.#literal(normalAddress(host) ?? host, port);
    const resolved = this.#names.find(host, port);
    return resolved instanceof Promise
      ? resolved.then((answer) => this.#named(answer, port))
      : this.#named(resolved, port);
  }

  /** Who has sent an answer. @returns undefined when the client has not written there */
  answering(address: string, port: number): Correspondent | undefined {
    return this.#peers.find(isIPv4(address) ? address : (normalAddress(address) ?? address), port);
  }

  #literal(address: string, port: number): Correspondent | undefined {
    const { fence, reaches } = this.#plan;
    // Whom the client has written to before was permitted then.
    const permitted = this.#peers.find(address, port) !== undefined || fence.permits(address, port);
    if (!permitted) this.#plan.forbidden();
    return permitted && reaches(address) ? this.#write(address, port) : undefined;
  }

  #named(resolved: Resolved, port: number): Correspondent | undefined {
    if ('addresses' in resolved) {
      const address = resolved.addresses.find(this.#plan.reaches);
      return address === undefined ? undefined : this.#write(address, port);
    }
    if (resolved.failure === 'EGRESS_FORBIDDEN') this.#plan.forbidden();
    return undefined;
  }

  /** Sockets of associations come and go: looked at each time. */
  #write(address: string, port: number): Correspondent | undefined {
    if (!this.#plan.relayPorts.has(address, port)) return this.#peers.write(address, port);
    this.#plan.forbidden();
    return undefined;
  }
}
