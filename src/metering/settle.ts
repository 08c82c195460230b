import type { TickAnswer } from '../resolvers/ledger/types.ts';
import type { Clock } from './clock.ts';
import type { SettleCounters } from './counters.ts';
import { deliver, type Delivery, type TickFunction } from './deliver.ts';
import type { Hours } from './hours.ts';
import { COLLECT_MS, MAX_CALLS_IN_FLIGHT, MAX_ROWS_PER_CALL, PASS_GRID_MS } from './limits.ts';
import type { FrozenRow, KeyMeter } from './meter.ts';
import { prepare } from './plan.ts';
import { judge } from './verdict.ts';
import { Wake } from './wake.ts';

export interface SettlerOptions {
  readonly tick: TickFunction;
  readonly clock: Clock;
  readonly hours: Hours;
  readonly counters: SettleCounters;
  /** The account has a live subscriber. */
  readonly watched: (accountId: bigint) => boolean;
  /** Publishes what a call brought. */
  readonly applied: (delivery: Delivery) => void;
  readonly fenced: () => void;
  readonly failed: (error: unknown) => void;
  /** The ledger did not take a settlement: a fault here, or the key is gone. */
  readonly refused: (row: FrozenRow, answer: TickAnswer | undefined) => void;
  /** The meter holds nothing and has nothing to settle. */
  readonly settled: (meter: KeyMeter) => void;
}

/**
 * Settles and renews the leases of all keys of one instance: each key strictly in order, many keys
 * in one call. Guarantee: what flowed is sent until the ledger has acknowledged it, and the ledger
 * applies it once.
 */
export class Settler {
  readonly #options: SettlerOptions;
  /** Keys that need a look now and then. */
  readonly #active = new Set<KeyMeter>();
  readonly #wake: Wake;
  #calls = 0;
  #stopped = false;
  #draining = false;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#wake = new Wake(options.clock, () => this.#pass());
  }

  /** Keys that hold a lease or have something to settle. */
  get active(): ReadonlySet<KeyMeter> {
    return this.#active;
  }

  /** Credit moved: settle the key at the usual interval. */
  touched(meter: KeyMeter): void {
    if (meter.dead) return;
    if (!this.#active.has(meter)) {
      this.#active.add(meter);
      this.#passLater(meter);
      this.#wake.by(meter.passAt);
    }
    if (this.#draining) this.#urge(meter);
  }

  /** Settle the key as soon as allowed. */
  hurry(meter: KeyMeter): void {
    if (meter.dead) return;
    this.touched(meter);
    this.#urge(meter);
  }

  #urge(meter: KeyMeter): void {
    meter.urgent = true;
    this.#wake.by(Math.max(this.#options.clock.now() + COLLECT_MS, meter.retryAt));
  }

  /** Somebody else waits for the credit of this key: give back what it does not need. */
  recall(meter: KeyMeter): void {
    meter.recalled = true;
    // How much is left is not known any more.
    meter.pace.left = 0;
    this.hurry(meter);
  }

  /** From now on all credit goes back. */
  drain(): void {
    this.#draining = true;
    for (const meter of this.#active) this.hurry(meter);
  }

  /** Forgets all keys; calls on their way are not waited for. */
  stop(): void {
    this.#stopped = true;
    this.#wake.stop();
    this.#active.clear();
  }

  /** Looks at every key whose time has come, and sends what there is to settle. */
  #pass(): void {
    const { clock, hours } = this.#options;
    hours.roll();
    const now = clock.now();
    let rows: FrozenRow[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const meter of this.#active) {
      // The end of a call wakes us again.
      if (this.#calls >= MAX_CALLS_IN_FLIGHT) break;
      const row = this.#dueAt(meter) <= now ? this.#look(meter, now) : undefined;
      if (row !== undefined) rows.push(row);
      if (rows.length === MAX_ROWS_PER_CALL) {
        void this.#send(rows);
        rows = [];
      }
      next = Math.min(next, this.#dueAt(meter));
    }
    if (rows.length > 0) void this.#send(rows);
    if (this.#calls < MAX_CALLS_IN_FLIGHT) this.#wake.by(next);
  }

  #dueAt(meter: KeyMeter): number {
    if (meter.frozen !== undefined || !this.#active.has(meter)) return Number.POSITIVE_INFINITY;
    const asked = meter.urgent ? meter.retryAt : Number.POSITIVE_INFINITY;
    const earliest = this.#draining ? 0 : meter.pace.earliest(meter.roughly);
    return Math.max(Math.min(asked, meter.passAt), earliest);
  }

  #passLater(meter: KeyMeter): void {
    const watched = this.#options.watched(meter.accountId);
    const at = this.#options.clock.now() + meter.pace.intervalMs({ ...meter.roughly, watched });
    meter.passAt = Math.ceil(at / PASS_GRID_MS) * PASS_GRID_MS;
  }

  /** Collects what flowed on one key. @returns the settlement to send, if one is needed */
  #look(meter: KeyMeter, now: number): FrozenRow | undefined {
    const watched = this.#options.watched(meter.accountId);
    const row = prepare(meter, { now, watched, draining: this.#draining });
    if (row !== undefined || meter.passAt <= now) this.#passLater(meter);
    if (row === undefined && meter.dormant && meter.tally.amount === 0) this.#leave(meter);
    return row;
  }

  #leave(meter: KeyMeter): void {
    this.#active.delete(meter);
    meter.passAt = Number.POSITIVE_INFINITY;
    this.#options.settled(meter);
  }

  async #send(rows: readonly FrozenRow[]): Promise<void> {
    const { clock, tick, failed, counters, fenced } = this.#options;
    this.#calls += 1;
    const delivery = await deliver(rows, {
      tick,
      clock,
      wanted: () => !this.#stopped,
      failed: (error) => {
        counters.failures += 1;
        failed(error);
      },
    });
    this.#calls -= 1;
    if (delivery === undefined || this.#stopped) return;
    if (delivery === 'SPLIT') {
      const half = Math.ceil(rows.length / 2);
      for (const part of [rows.slice(0, half), rows.slice(half)]) void this.#send(part);
    } else if (delivery.fenced) fenced();
    else this.#apply(rows, delivery);
  }

  #apply(rows: readonly FrozenRow[], delivery: Delivery): void {
    const { clock, hours, applied, counters } = this.#options;
    const now = clock.now();
    hours.learn(delivery.sentAt, delivery.now);
    counters.calls += 1;
    counters.callMs += now - delivery.sentAt;
    counters.longestCallMs = Math.max(counters.longestCallMs, now - delivery.sentAt);
    for (const row of rows) this.#applyRow(row, delivery.answers.get(row.meter.keyId), now);
    this.#wake.by(now + COLLECT_MS);
    applied(delivery);
  }

  #applyRow(row: FrozenRow, answer: TickAnswer | undefined, now: number): void {
    const { meter } = row;
    const taken = answer?.outcome === 'APPLIED' || answer?.outcome === 'REPLAY';
    if (answer === undefined || !taken || answer.seq !== row.request.seq) {
      this.#active.delete(meter);
      this.#options.refused(row, answer);
      return;
    }
    this.#options.counters.settlements += 1;
    if (judge(meter, row, answer, now).recallSiblings) this.#recallSiblings(meter);
    if (meter.starving || meter.probing || meter.refreshing || this.#draining) this.hurry(meter);
  }

  /** Other keys of the account may hold the credit that this one lacks. */
  #recallSiblings(meter: KeyMeter): void {
    for (const other of this.#active) {
      if (other !== meter && other.accountId === meter.accountId && other.reserved > 0) this.recall(other);
    }
  }
}
