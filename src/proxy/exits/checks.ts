import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

import type { Fence } from '../../egress.ts';
import { Abandonment } from '../relay/abandonment.ts';
import { dialFailure } from '../relay/dialFailure.ts';
import { createPortableRelay } from '../relay/portable.ts';
import { beginLogin, isUpstream, targetSetback } from './attempt.ts';
import type { ExitSpec } from './config.ts';
import { enterUpstream } from './depart.ts';
import type { Exit, Setback } from './exit.ts';
import type { ExitPool } from './pool.ts';

/** How often it is looked for exits whose pause has ended. */
const LOOK_MS = 250;
/** Checks under way at once; the others wait for the next look. */
const MAX_CHECKS = 16;
/** Milliseconds to connect to an upstream proxy and to log in. */
const CHECK_TIMEOUT_MS = 5_000;

/** What checks need. */
export interface ChecksOptions {
  readonly pools: readonly ExitPool[];
  /** Finds upstream proxies. */
  readonly resolveUpstream: Fence['resolve'];
  /** Milliseconds since 1970, of the clock of the pools. */
  readonly now: () => number;
  /** A check could not be carried out. */
  readonly onError: (error: unknown) => void;
}

/**
 * Tries exits whose pause has ended before any customer does: connects to the upstream proxy, and logs in where it
 * speaks SOCKS5; of an exit that is this machine it binds the address. What fails is left alone for longer; what
 * passes is proved by the next connection. On the main thread, whatever relays tunnels.
 */
export class Checks {
  readonly #options: ChecksOptions;
  readonly #relay = createPortableRelay();
  /** Those under way. */
  readonly #checks = new Map<Exit, Abandonment>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChecksOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Nothing is checked any more. */
  close(): void {
    clearInterval(this.#timer);
    for (const abandonment of this.#checks.values()) abandonment.abandon();
  }

  #look(): void {
    const { pools, now, onError } = this.#options;
    for (const exit of pools.flatMap((pool) => pool.unchecked(now()))) {
      if (this.#checks.size >= MAX_CHECKS) return;
      if (!this.#checks.has(exit)) this.#check(exit).catch(onError);
    }
  }

  async #check(exit: Exit): Promise<void> {
    const abandonment = new Abandonment();
    this.#checks.set(exit, abandonment);
    exit.health.checking();
    // Where nothing was found out, as nothing is known of it, it is checked again.
    let found: Setback | 'PASSED' | undefined;
    try {
      found = (await this.#fault(exit.spec, abandonment)) ?? 'PASSED';
    } finally {
      this.#checks.delete(exit);
      exit.checked(this.#options.now(), abandonment.abandoned ? undefined : found);
    }
  }

  async #fault(spec: ExitSpec, abandonment: Abandonment): Promise<Setback | undefined> {
    if (spec.kind === 'DIRECT') return undefined;
    if (!isUpstream(spec)) return bindingFault(spec.address);
    const { resolveUpstream } = this.#options;
    const relay = this.#relay;
    const handshake = spec.kind === 'SOCKS5' ? beginLogin(spec) : undefined;
    const entered = await enterUpstream(spec, handshake, CHECK_TIMEOUT_MS, { relay, resolveUpstream, abandonment });
    if ('setback' in entered) return entered.setback;
    relay.discard(entered.endpoint);
    return undefined;
  }
}

/** Why this machine cannot send from an address; with a datagram socket, to which nobody can connect meanwhile. */
function bindingFault(address: string): Promise<Setback | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address) });
    const settle = (fault?: Setback): void => {
      socket.close();
      resolve(fault);
    };
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const { code = '' } = error;
      settle(targetSetback(dialFailure({ code, binding: true, address, localAddress: address })));
    });
    socket.bind({ address, port: 0, exclusive: true }, () => settle());
  });
}
