import type { DialFailure } from '../relay/relay.ts';
import type { ExitSpec } from './config.ts';
import type { Exit, Setback } from './exit.ts';
import type { ExitPool, Traveller } from './pool.ts';

/** Attempts to open one connection, over all exits and addresses of the target. */
const MAX_ATTEMPTS = 4;
/** Addresses of the target that are tried through one exit when there are others. */
const MAX_ADDRESSES_OF_SEVERAL = 2;

/** `NO_EXIT`: the fault is ours, no exit did its work. */
export type JourneyFailure = DialFailure | 'NO_EXIT';

/** One thing to try: this address of the target, through this exit, within this time. */
export interface Attempt {
  readonly spec: ExitSpec;
  /** IP literal, as the fence pinned it. */
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** The exit of a connection that is open. */
export interface Departure {
  /** As configured, without the password: for the operator. */
  readonly label: string;
  /** Once for each connection, when it is closed. */
  closed(): void;
}

export interface JourneyPlan {
  readonly traveller: Traveller;
  /** Literals as the fence pinned them, in order of preference. */
  readonly addresses: readonly [string, ...string[]];
  readonly port: number;
  /** Milliseconds for all attempts together. */
  readonly timeoutMs: number;
}

interface Doubt {
  readonly exit: Exit;
  readonly address: string;
  readonly probe: boolean;
  readonly detail: string;
}

/**
 * Leads one connection out: says what to try next and is told what came of it, until one attempt
 * succeeds or nothing is left to try. All of it happens before the client has its reply. Addresses
 * are tried through one exit after the other; an exit at fault is left at once, and a target
 * that refuses for itself ends the journey. No input and output here: whoever dials carries it out.
 */
export class Journey {
  readonly #pool: ExitPool;
  readonly #plan: JourneyPlan;
  readonly #now: () => number;
  readonly #deadline: number;
  readonly #tried = new Set<Exit>();
  readonly #doubts: Doubt[] = [];
  #exit: Exit | undefined;
  #probe = false;
  /** Addresses to try through this exit, after the present one. */
  #addresses: readonly string[] = [];
  #address = '';
  #unsure = false;
  #attempts = 0;
  #startedAt = 0;
  #over = false;
  /** What to tell the client: what the target did counts more than what an exit did not. */
  #failure: JourneyFailure = 'NO_EXIT';

  /** @param now milliseconds since 1970, of a clock that does not go backwards */
  constructor(pool: ExitPool, plan: JourneyPlan, now: () => number) {
    this.#pool = pool;
    this.#plan = plan;
    this.#now = now;
    this.#deadline = now() + plan.timeoutMs;
  }

  get failure(): JourneyFailure {
    return this.#failure;
  }

  /** @returns undefined when nothing is left to try */
  next(): Attempt | undefined {
    const now = this.#now();
    const left = this.#deadline - now;
    if (this.#over) return undefined;
    // The exit of the last attempt may have addresses left, and be on probation.
    if (this.#attempts >= MAX_ATTEMPTS) return this.abandoned();
    if (left <= 0) return this.#end('TIMED_OUT');
    if (this.#exit === undefined && !this.#choose(now)) return undefined;
    const [address, ...others] = this.#addresses;
    if (this.#exit === undefined || address === undefined) return undefined;
    this.#address = address;
    this.#addresses = others;
    this.#attempts++;
    this.#startedAt = now;
    return { spec: this.#exit.spec, address, port: this.#plan.port, timeoutMs: left / this.#shares() };
  }

  /** The attempt succeeded: the connection is open. */
  opened(): Departure {
    const exit = this.#exit;
    if (exit === undefined) throw new Error('opened without an attempt');
    const now = this.#now();
    exit.opened(now - this.#startedAt);
    for (const { exit: other, address, probe, detail } of this.#doubts) {
      if (other !== exit && address === this.#address) other.failed(now, probe, detail);
    }
    this.#over = true;
    return exit;
  }

  /** The attempt failed. */
  failed({ failure, blame, detail }: Setback): void {
    const exit = this.#exit;
    if (exit === undefined) throw new Error('failed without an attempt');
    if (blame === 'EXIT') {
      exit.failed(this.#now(), this.#probe, detail);
      return this.#leave(exit);
    }
    this.#failure = failure;
    if (blame === 'TARGET') exit.answered();
    else if (blame === 'UNSURE') this.#doubts.push({ exit, address: this.#address, probe: this.#probe, detail });
    this.#unsure ||= blame !== 'TARGET';
    if (this.#addresses.length > 0) return;
    exit.health.released(this.#probe);
    if (this.#unsure) this.#leave(exit);
    else this.#over = true;
  }

  /** Nothing more is tried, the client may have gone: nothing is known about the exit. Idempotent. */
  abandoned(): undefined {
    // Once: by now the probe may be somebody else's.
    if (!this.#over) this.#exit?.health.released(this.#probe);
    this.#over = true;
  }

  #choose(now: number): boolean {
    const { traveller, addresses } = this.#plan;
    const exit = this.#pool.pick(traveller, addresses, this.#tried, now);
    const others = this.#pool.sizeFor(traveller);
    if (exit === undefined) {
      // There are exits, of the other address family.
      if (this.#tried.size === 0 && others > 0) this.#failure = 'NETWORK_UNREACHABLE';
      this.#over = true;
      return false;
    }
    this.#exit = exit;
    this.#probe = exit.health.begin(now);
    this.#unsure = false;
    this.#addresses = exit.reachable(addresses).slice(0, others > 1 ? MAX_ADDRESSES_OF_SEVERAL : MAX_ATTEMPTS);
    return true;
  }

  #leave(exit: Exit): void {
    this.#tried.add(exit);
    this.#exit = undefined;
  }

  /** In how many parts the time that is left is divided: addresses that follow, and one for another exit. */
  #shares(): number {
    const another = this.#pool.sizeFor(this.#plan.traveller) > this.#tried.size + 1 ? 1 : 0;
    return Math.min(MAX_ATTEMPTS - this.#attempts, this.#addresses.length + another) + 1;
  }

  #end(failure: JourneyFailure): undefined {
    if (this.#failure === 'NO_EXIT') this.#failure = failure;
    this.abandoned();
  }
}
