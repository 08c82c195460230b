import type { RefusalCode } from '../errors.ts';
import type { EventMap } from '../events.ts';
import type { BeatResult, TickAnswer } from '../resolvers/ledger/types.ts';
import { PRICE_PER_BYTE, type Product } from '../units.ts';
import type { CellTable } from './cells.ts';
import type { Clock } from './clock.ts';
import type { Delivery, TickFunction } from './deliver.ts';
import { Heartbeat } from './heartbeat.ts';
import { Hours } from './hours.ts';
import { OPEN_TIMEOUT_MS } from './limits.ts';
import { KeyMeter, type FrozenRow, type MeterHost, type Opener } from './meter.ts';
import type { AuthenticatedKey, OpenSession } from './session.ts';
import { Settler, type SettleCounters } from './settle.ts';

export interface InstanceOptions {
  readonly tick: TickFunction;
  readonly beat: () => Promise<BeatResult>;
  readonly clock: Clock;
  readonly cells: CellTable;
  readonly counters: SettleCounters;
  readonly watched: (accountId: bigint) => boolean;
  readonly applied: (delivery: Delivery) => void;
  /** The database does not know this instance any more; called once. */
  readonly fenced: () => void;
  readonly warn: (facts: Record<string, unknown>, message: string) => void;
  readonly alarm: (facts: Record<string, unknown>, message: string) => void;
}

type Opened = Awaited<ReturnType<OpenSession>>;

/** The meters of one registered instance, from its first beat until it is stopped or fenced. */
export class MeteringInstance implements MeterHost {
  readonly cells: CellTable;
  readonly #options: InstanceOptions;
  readonly #meters = new Map<bigint, KeyMeter>();
  /** Last sequence of keys whose meter was dropped: the lease in the database goes on counting. */
  readonly #sequences = new Map<bigint, bigint>();
  readonly #hours: Hours;
  readonly #settler: Settler;
  readonly #heartbeat: Heartbeat;
  #fenced = false;
  #draining = false;
  #firstBeat: () => void = () => {};
  #idle: () => void = () => {};

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

  get steadyMs(): number {
    return this.#heartbeat.steadyMs;
  }

  touched(meter: KeyMeter): void {
    this.#settler.touched(meter);
    if (this.#draining) this.#checkIdle();
  }

  hurry(meter: KeyMeter): void {
    this.#settler.hurry(meter);
    if (this.#draining) this.#checkIdle();
  }

  open(key: AuthenticatedKey, product: Product): Promise<Opened> {
    if (this.#draining || !this.mayForward()) return Promise.resolve({ refusal: 'SERVICE_UNAVAILABLE' });
    const price = Number(PRICE_PER_BYTE[product]);
    const meter = this.#meterOf(key);
    meter.price = Math.max(meter.price, price);
    if (meter.covers(price)) return Promise.resolve({ session: meter.open(product) });
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(OPEN_TIMEOUT_MS, () => {
        meter.openers.delete(opener);
        resolve({ refusal: 'SERVICE_UNAVAILABLE' });
      });
      const opener: Opener = {
        price,
        admit: () => {
          cancel();
          resolve({ session: meter.open(product) });
        },
        refuse: (refusal) => {
          cancel();
          resolve({ refusal });
        },
      };
      meter.openers.add(opener);
      this.#settler.hurry(meter);
    });
  }

  /** The terms of keys changed: give everything back and ask again under the new ones, at once. */
  refresh({ accountId, keyIds }: EventMap['leasesChanged']): void {
    for (const meter of this.#meters.values()) {
      if (keyIds === null ? meter.accountId !== accountId : !keyIds.includes(meter.keyId)) continue;
      meter.refreshing = true;
      meter.retryAt = 0;
      this.#settler.recall(meter);
    }
  }

  /** Ends all connections and gives all credit back. @returns when nothing is left to settle */
  drain(): Promise<void> {
    this.#draining = true;
    this.#endAll('SERVICE_UNAVAILABLE');
    this.#settler.drain();
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#checkIdle();
    });
  }

  /** Stops all timers. What was not settled stays so. */
  stop(): void {
    this.#heartbeat.stop();
    this.#settler.stop();
    this.#hours.stop();
    this.#endAll('SERVICE_UNAVAILABLE');
    this.#firstBeat();
    this.#idle();
  }

  get openSessions(): number {
    let sum = 0;
    for (const meter of this.#meters.values()) sum += meter.connections.size;
    return sum;
  }

  get activeKeys(): number {
    return this.#settler.active.size;
  }

  get unbilledBytes(): number {
    let sum = 0;
    for (const meter of this.#meters.values()) sum += meter.unbilledBytes;
    return sum;
  }

  #meterOf({ keyId, accountId }: AuthenticatedKey): KeyMeter {
    const known = this.#meters.get(keyId);
    if (known === undefined) return this.#addMeter(keyId, accountId, this.#sequences.get(keyId) ?? 0n, 0);
    // A merge moves keys to another account.
    known.accountId = accountId;
    return known;
  }

  #addMeter(keyId: bigint, accountId: bigint, seq: bigint, reserved: number): KeyMeter {
    const meter = new KeyMeter(this, keyId, accountId, { seq, reserved });
    this.#meters.set(keyId, meter);
    this.#sequences.delete(keyId);
    return meter;
  }

  #settled(meter: KeyMeter): void {
    if (meter.connections.size === 0) {
      this.#meters.delete(meter.keyId);
      this.#sequences.set(meter.keyId, meter.seq);
    }
    if (this.#draining) this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#settler.active.size === 0 && this.openSessions === 0) this.#idle();
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
      const meter = this.#meters.get(keyId);
      if (meter !== undefined) this.#settler.recall(meter);
    }
    this.#firstBeat();
  }

  #fallSilent(): void {
    this.#options.warn({}, 'the database does not answer: nothing is forwarded until it does');
    this.#endAll('SERVICE_UNAVAILABLE');
  }

  #endAll(reason: RefusalCode): void {
    for (const meter of [...this.#meters.values()]) meter.endAll(reason);
  }

  #fence(): void {
    if (this.#fenced) return;
    this.#fenced = true;
    this.#options.counters.lostBytes += this.unbilledBytes;
    for (const meter of this.#meters.values()) meter.dead = true;
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
    meter.dead = true;
    this.#meters.delete(meter.keyId);
    if (answer !== undefined && answer.outcome !== 'UNKNOWN_KEY') {
      const reserved = Number(answer.granted - answer.spent);
      this.#settler.touched(this.#addMeter(meter.keyId, meter.accountId, answer.seq, reserved));
    }
    meter.endAll(answer?.outcome === 'UNKNOWN_KEY' ? 'KEY_UNKNOWN' : 'SERVICE_UNAVAILABLE');
    if (this.#draining) this.#checkIdle();
  }
}
