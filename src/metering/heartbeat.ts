import type { BeatResult } from '../resolvers/ledger/types.ts';
import type { Clock } from './clock.ts';
import { within } from './deliver.ts';
import { BEAT_DEADLINE_MS, BEAT_INTERVAL_MS, BEAT_TIMEOUT_MS } from './limits.ts';

export interface HeartbeatOptions {
  readonly beat: () => Promise<BeatResult>;
  readonly clock: Clock;
  /** `Metering.forwardUntil`: moves with every acknowledged beat. */
  readonly forwardUntil: Float64Array;
  /** An acknowledged beat, and when it was sent. */
  readonly beaten: (result: BeatResult, sentAt: number) => void;
  readonly fenced: () => void;
  /** No beat has been acknowledged for too long: others may soon take this instance for dead. */
  readonly silent: () => void;
  readonly failed: (error: unknown) => void;
}

/** Tells the database that this instance lives, and hears which leases it shall give back. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #aliveSince = 0;
  #stopped = false;
  #cancelNext: () => void = () => {};
  #cancelDeadline: () => void = () => {};

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#deadline = Number.NEGATIVE_INFINITY;
  }

  /** Whether the last acknowledged beat was sent less than half the TTL ago. */
  get alive(): boolean {
    return this.#options.clock.now() < this.#deadline;
  }

  /** Milliseconds for which it has been alive without a gap; 0 while it is not. */
  get steadyMs(): number {
    return this.alive ? this.#options.clock.now() - this.#aliveSince : 0;
  }

  start(): void {
    void this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    this.#deadline = Number.NEGATIVE_INFINITY;
    this.#cancelNext();
    this.#cancelDeadline();
  }

  async #beat(): Promise<void> {
    const { beat, clock, failed } = this.#options;
    const sentAt = clock.now();
    try {
      const result = await within(clock, BEAT_TIMEOUT_MS, beat());
      if (!this.#stopped) this.#heard(result, sentAt);
    } catch (error) {
      if (!this.#stopped) failed(error);
    }
    if (this.#stopped) return;
    const pause = Math.max(0, sentAt + BEAT_INTERVAL_MS - clock.now());
    this.#cancelNext = clock.after(pause, () => void this.#beat());
  }

  get #deadline(): number {
    return this.#options.forwardUntil[0] ?? Number.NEGATIVE_INFINITY;
  }

  set #deadline(time: number) {
    this.#options.forwardUntil[0] = time;
  }

  #heard(result: BeatResult, sentAt: number): void {
    const { clock, beaten, fenced, silent } = this.#options;
    if (result.fenced) {
      fenced();
      return;
    }
    if (!this.alive) this.#aliveSince = sentAt;
    this.#deadline = sentAt + BEAT_DEADLINE_MS;
    this.#cancelDeadline();
    this.#cancelDeadline = clock.after(Math.max(0, this.#deadline - clock.now()), silent);
    beaten(result, sentAt);
  }
}
