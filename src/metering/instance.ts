import type { EventMap } from '../events.ts';
import type { BeatResult, TickAnswer } from '../resolvers/ledger/types.ts';
import type { Product } from '../units.ts';
import type { CellTable } from './cells.ts';
import type { Clock } from './clock.ts';
import type { SettleCounters } from './counters.ts';
import type { Delivery, TickFunction } from './deliver.ts';
import { Heartbeat } from './heartbeat.ts';
import { Hours } from './hours.ts';
import { KeyMeters } from './keyMeters.ts';
import type { FrozenRow, KeyMeter, MeterHost } from './meter.ts';
import { openWhenCovered } from './opening.ts';
import type { AuthenticatedKey, Opened } from './session.ts';
import { Settler } from './settle.ts';

export interface InstanceOptions {
  readonly tick: TickFunction;
  readonly beat: () => Promise<BeatResult>;
  readonly clock: Clock;
  readonly forwardUntil: Float64Array;
  readonly cells: CellTable;
  readonly counters: SettleCounters;
  readonly watched: (accountId: bigint) => boolean;
  readonly applied: (delivery: Delivery) => void;
  /** The database does not know this instance any more; called once. */
  readonly fenced: () => void;
  readonly warn: (facts: Record<string, unknown>, message: string) => void;
  readonly alarm: (facts: Record<string, unknown>, message: string) => void;
}

/** The meters of one registered instance, from its first beat until it is stopped or fenced. */
export class MeteringInstance implements MeterHost {
  readonly cells: CellTable;
  readonly #options: InstanceOptions;
  readonly #meters = new KeyMeters(this);
  readonly #hours: Hours;
  readonly #settler: Settler;
  readonly #heartbeat: Heartbeat;
  #fenced = false;
  #draining = false;
  #firstBeat: () => void = () => {};
  #empty: () => void = () => {};

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.cells = options.cells;
    this.#hours = new Hours(options.clock, () => this.#endHour());
    this.#settler = new Settler({
      ...options,
      hours: this.#hours,
      fenced: () => this.#fence(),
      failed: (error) => options.warn({ err: error }, 'settlement failed; it will be repeated'),
      refused: (row, answer) => this.#abandon(row, answer),
      settled: (meter) => this.#settled(meter),
    });
    this.#heartbeat = new Heartbeat({
      ...options,
      beaten: (result, sentAt) => this.#beaten(result, sentAt),
      fenced: () => this.#fence(),
      silent: () => this.#fallSilent(),
      failed: (error) => options.warn({ err: error }, 'heartbeat failed'),
    });
  }

  /** @returns when the first beat has been acknowledged (or the instance fenced) */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#firstBeat = resolve;
      this.#heartbeat.start();
    });
  }

  now(): number {
    return this.#options.clock.now();
  }

  hour(): number {
    return this.#hours.hour;
  }

  mayForward(): boolean {
    return this.#heartbeat.alive;
  }

  touched(meter: KeyMeter): void {
    this.#settler.touched(meter);
    this.#checkEmpty();
  }

  hurry(meter: KeyMeter): void {
    this.#settler.hurry(meter);
    this.#checkEmpty();
  }

  open(key: AuthenticatedKey, product: Product): Opened | Promise<Opened> {
    if (this.#draining || !this.mayForward()) return { refusal: 'SERVICE_UNAVAILABLE' };
    const hurry = (meter: KeyMeter): void => this.#settler.hurry(meter);
    return openWhenCovered(this.#meters.of(key), product, { clock: this.#options.clock, hurry });
  }

  /** The terms of keys changed: give everything back and ask again under the new ones, at once. */
  refresh({ accountId, keyIds }: EventMap['leasesChanged']): void {
    for (const meter of this.#meters.select(accountId, keyIds)) {
      meter.refreshing = true;
      meter.retryAt = 0;
      this.#settler.recall(meter);
    }
  }

  /** Ends all connections and gives all credit back. @returns when nothing is left to settle */
  drain(): Promise<void> {
    this.#draining = true;
    this.#meters.endAll('SERVICE_UNAVAILABLE');
    this.#settler.drain();
    return new Promise((resolve) => {
      this.#empty = resolve;
      this.#checkEmpty();
    });
  }

  /** Stops all timers. What was not settled stays so. */
  stop(): void {
    this.#heartbeat.stop();
    this.#settler.stop();
    this.#hours.stop();
    this.#meters.endAll('SERVICE_UNAVAILABLE');
    this.#firstBeat();
    this.#empty();
  }

  get openSessions(): number {
    return this.#meters.openSessions;
  }

  get unbilledBytes(): number {
    return this.#meters.unbilledBytes;
  }

  /** How long beats have been acknowledged without a gap, in milliseconds. */
  get steadyMs(): number {
    return this.#heartbeat.steadyMs;
  }

  get activeKeys(): number {
    return this.#settler.active.size;
  }

  #settled(meter: KeyMeter): void {
    if (meter.connections.size === 0) this.#meters.retire(meter);
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#draining && this.#settler.active.size === 0 && this.openSessions === 0) this.#empty();
  }

  #endHour(): void {
    for (const meter of this.#settler.active) {
      meter.drain();
      meter.hourEnded = meter.reserved > 0;
    }
  }

  #beaten(result: BeatResult, sentAt: number): void {
    this.#hours.learn(sentAt, result.now);
    for (const keyId of result.recalled) {
      const meter = this.#meters.find(keyId);
      if (meter !== undefined) this.#settler.recall(meter);
    }
    this.#firstBeat();
  }

  #fallSilent(): void {
    this.#options.warn({}, 'the database does not answer: nothing is forwarded until it does');
    this.#meters.endAll('SERVICE_UNAVAILABLE');
  }

  #fence(): void {
    if (this.#fenced) return;
    this.#fenced = true;
    this.#options.counters.lostBytes += this.unbilledBytes;
    this.#meters.killAll();
    this.stop();
    this.#options.fenced();
  }

  /** What the ledger did not take cannot be billed; the key starts afresh from the ledger's state. */
  #abandon(row: FrozenRow, answer: TickAnswer | undefined): void {
    const { meter, request } = row;
    const { counters, alarm } = this.#options;
    alarm({ keyId: meter.keyId, seq: request.seq, want: request.want, answer }, 'the ledger refused a settlement');
    counters.refused += 1;
    counters.lostBytes += meter.unbilledBytes;
    this.#meters.kill(meter);
    if (answer !== undefined && answer.outcome !== 'UNKNOWN_KEY') {
      const lease = { seq: answer.seq, reserved: Number(answer.granted - answer.spent) };
      this.#settler.touched(this.#meters.add(meter, lease));
    }
    meter.endAll(answer?.outcome === 'UNKNOWN_KEY' ? 'KEY_UNKNOWN' : 'SERVICE_UNAVAILABLE');
    this.#checkEmpty();
  }
}
