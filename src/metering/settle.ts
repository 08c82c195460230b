import type { TickAnswer } from '../resolvers/ledger/types.ts';
import type { Clock } from './clock.ts';
import { deliver, type Delivery, type TickFunction } from './deliver.ts';
import type { Hours } from './hours.ts';
import { COLLECT_MS, MAX_CALLS_IN_FLIGHT, MAX_ROWS_PER_CALL, PASS_GRID_MS } from './limits.ts';
import type { FrozenRow, KeyMeter } from './meter.ts';
import type { Demand } from './pace.ts';
import { planTarget } from './plan.ts';
import { judge } from './verdict.ts';

/** Sums since the start, for metrics. */
export interface SettleCounters {
  /** Rows acknowledged. */
  settlements: number;
  /** Calls answered, how long they took in total and the longest, in milliseconds. */
  calls: number;
  callMs: number;
  longestCallMs: number;
  /** Calls that failed or got no answer; they are repeated. */
  failures: number;
  /** Rows the ledger refused, or that did not add up: faults of this program. */
  refused: number;
  /** Bytes that flowed and can never be billed: the instance was fenced, or a row refused. */
  lostBytes: number;
}

export function zeroCounters(): SettleCounters {
  return { settlements: 0, calls: 0, callMs: 0, longestCallMs: 0, failures: 0, refused: 0, lostBytes: 0 };
}

export interface SettlerOptions {
  readonly tick: TickFunction;
  readonly clock: Clock;
  readonly hours: Hours;
  readonly counters: SettleCounters;
  /** The account has a live subscriber. */
  readonly watched: (accountId: bigint) => boolean;
  /** After a call was applied: publish what it brought. */
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
  #calls = 0;
  #stopped = false;
  #draining = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancelWake: () => void = () => {};

  constructor(options: SettlerOptions) {
    this.#options = options;
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
      this.#wake(meter.passAt);
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
    this.#wake(Math.max(this.#options.clock.now() + COLLECT_MS, meter.retryAt));
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
    this.#cancelWake();
    this.#active.clear();
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt || this.#stopped) return;
    this.#cancelWake();
    this.#wakeAt = at;
    this.#cancelWake = this.#options.clock.after(Math.max(0, at - this.#options.clock.now()), () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#pass();
    });
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
    if (this.#calls < MAX_CALLS_IN_FLIGHT) this.#wake(next);
  }

  #dueAt(meter: KeyMeter): number {
    if (meter.frozen !== undefined || !this.#active.has(meter)) return Number.POSITIVE_INFINITY;
    const asked = meter.urgent ? meter.retryAt : Number.POSITIVE_INFINITY;
    const earliest = this.#draining ? 0 : meter.pace.earliest(roughly(meter));
    return Math.max(Math.min(asked, meter.passAt), earliest);
  }

  #passLater(meter: KeyMeter): void {
    const watched = this.#options.watched(meter.accountId);
    const at = this.#options.clock.now() + meter.pace.intervalMs({ ...roughly(meter), watched });
    meter.passAt = Math.ceil(at / PASS_GRID_MS) * PASS_GRID_MS;
  }

  /** Collects what flowed on one key. @returns the settlement to send, if one is needed */
  #look(meter: KeyMeter, now: number): FrozenRow | undefined {
    const used = meter.drain();
    const watched = this.#options.watched(meter.accountId);
    const { spendable, starving, price } = meter;
    const demand: Demand = { used, spendable, starving, price, watched };
    meter.pace.observe(demand, now);
    meter.urgent = false;
    const target = planTarget(meter, demand, now, this.#draining);
    const row = target === undefined ? undefined : meter.freeze(target);
    meter.recalled = false;
    if (row !== undefined || meter.passAt <= now) this.#passLater(meter);
    if (row === undefined) {
      if (meter.dormant && meter.tally.amount === 0) this.#leave(meter);
      return undefined;
    }
    meter.probing = meter.connections.size > 0 && (meter.refreshing || (meter.probing && !row.asks));
    meter.refreshing = false;
    meter.hourEnded = false;
    meter.pace.sent(now);
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
    const wanted = (): boolean => !this.#stopped;
    const delivery = await deliver(rows, {
      tick,
      clock,
      wanted,
      failed: (error) => {
        counters.failures += 1;
        failed(error);
      },
    });
    this.#calls -= 1;
    if (delivery === undefined || this.#stopped) return;
    if (delivery.fenced) fenced();
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
    this.#wake(now + COLLECT_MS);
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

/** The key's credit without looking at its connections: good enough for when to look at them. */
function roughly(meter: KeyMeter): { readonly spendable: number; readonly price: number } {
  return { spendable: meter.reserved - meter.tally.amount, price: meter.price };
}
