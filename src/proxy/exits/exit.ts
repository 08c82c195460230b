import { isIPv4 } from 'node:net';

import type { DialFailure } from '../relay/relay.ts';
import type { ExitSpec } from './config.ts';
import { Health, type HealthState } from './health.ts';

/** Weight of the last connection in the average time that it takes to open one. */
const LATENCY_WEIGHT = 0.2;

/**
 * Whose fault a failed attempt is. `TARGET`: the exit works, the target refuses. `EXIT`: the exit does
 * not do its work. `UNSURE`: either; it is held against the exit when another one reaches the same target.
 * `NOBODY`: ours; nothing is known about either.
 */
export type Blame = 'TARGET' | 'EXIT' | 'UNSURE' | 'NOBODY';

/** Why an attempt failed. `detail` is for the operator; it holds no credentials. */
export interface Setback {
  readonly failure: DialFailure;
  readonly blame: Blame;
  readonly detail: string;
}

/** What the operator sees of an exit. */
export interface ExitStats {
  /** As configured, without the password; unique in its pool. */
  readonly id: string;
  readonly kind: ExitSpec['kind'];
  readonly state: HealthState;
  /** Takes no new connections. */
  readonly drained: boolean;
  /** Accounts that it is reserved for; for everybody when empty. */
  readonly accountIds: readonly bigint[];
  /** Open now. */
  readonly connections: number;
  /** Opened since the start. */
  readonly opened: number;
  /** Failures that were its own, since the start. */
  readonly failures: number;
  readonly lastError: { readonly detail: string; readonly at: Date } | undefined;
  /** Milliseconds that opening a connection takes, averaged over the last ones. */
  readonly latencyMs: number | undefined;
  /** End of its pause while it is quarantined. */
  readonly retryAt: Date | undefined;
}

/** Hears that an exit went into quarantine, or came out. */
export type ExitWatch = (exit: ExitStats) => void;

/** One exit of a pool, and what became of the connections through it. */
export class Exit {
  readonly spec: ExitSpec;
  readonly health: Health;
  drained = false;
  accountIds: ReadonlySet<bigint> = new Set();
  #connections = 0;
  #opened = 0;
  #failures = 0;
  #lastError: ExitStats['lastError'];
  #latencyMs: number | undefined;

  readonly #changed: ExitWatch;

  /** @param isChecked see `Health` */
  constructor(spec: ExitSpec, changed: ExitWatch, isChecked: boolean) {
    this.spec = spec;
    this.health = new Health(isChecked);
    this.#changed = changed;
  }

  get label(): string {
    return this.spec.label;
  }

  /** Those of the addresses that it can reach: an address of this machine reaches its own family alone. */
  reachable(addresses: readonly string[]): readonly string[] {
    if (this.spec.kind !== 'BIND') return addresses;
    const four = isIPv4(this.spec.address);
    return addresses.filter((address) => isIPv4(address) === four);
  }

  opened(tookMs: number): void {
    this.answered();
    this.#connections++;
    this.#opened++;
    this.#latencyMs =
      this.#latencyMs === undefined ? tookMs : this.#latencyMs + LATENCY_WEIGHT * (tookMs - this.#latencyMs);
  }

  /** Whether it can carry datagrams: HTTP proxies cannot. */
  get carriesDatagrams(): boolean {
    return this.spec.kind !== 'HTTP';
  }

  /** An association leaves through it. That says nothing about its health, nor how long it takes. */
  associated(): void {
    this.#connections++;
    this.#opened++;
  }

  /** It did its work, whatever the target did. */
  answered(): void {
    const before = this.health.state;
    this.health.succeeded();
    if (before !== 'HEALTHY') this.#changed(this.stats);
  }

  closed(): void {
    this.#connections--;
  }

  failed(now: number, probe: boolean, detail: string): void {
    const before = this.health.state;
    this.health.failed(now, probe);
    this.#failures++;
    this.#lastError = { detail, at: new Date(now) };
    if (before === 'HEALTHY' && this.health.state !== 'HEALTHY') this.#changed(this.stats);
  }

  /** A check is over. @param found undefined: nothing */
  checked(now: number, found: Setback | 'PASSED' | undefined): void {
    // A connection, tried for want of a better exit, has proved meanwhile that it works.
    if (this.health.state !== 'PROBING') return;
    if (found === 'PASSED') this.health.passed();
    else if (found === undefined || found.blame === 'NOBODY') this.health.released(true);
    else this.failed(now, true, `check: ${found.detail}`);
  }

  get stats(): ExitStats {
    const { state, pausedUntil } = this.health;
    return {
      id: this.spec.label,
      kind: this.spec.kind,
      state,
      drained: this.drained,
      accountIds: [...this.accountIds],
      connections: this.#connections,
      opened: this.#opened,
      failures: this.#failures,
      lastError: this.#lastError,
      latencyMs: this.#latencyMs,
      retryAt: state === 'HEALTHY' ? undefined : new Date(pausedUntil),
    };
  }
}
