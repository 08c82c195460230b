import { HOUR_MS } from '../units.ts';
import type { Clock } from './clock.ts';

/**
 * The database's clock as this process sees it, learned from answers, and the UTC hour to which
 * bytes belong. The hour only moves on when `end` has moved all counters of the old one away.
 */
export class Hours {
  readonly #clock: Clock;
  readonly #end: () => void;
  /** Database time minus own time, and how wrong it may be: half of the round trip that told it. */
  #offset = 0;
  #doubt = Number.POSITIVE_INFINITY;
  #learnedAt = 0;
  #hour = 0;
  #cancel: () => void = () => {};

  /** @param end called at the end of an hour, while `hour` is still the old one */
  constructor(clock: Clock, end: () => void) {
    this.#clock = clock;
    this.#end = end;
  }

  /** Start of the present hour, Unix milliseconds. */
  get hour(): number {
    return this.#hour;
  }

  /** Learns from an answer that told the database's time. Quick answers are believed for longer. */
  learn(sentAt: number, databaseNow: Date): void {
    const now = this.#clock.now();
    const doubt = (now - sentAt) / 2;
    if (doubt > this.#doubt + (now - this.#learnedAt) * DRIFT) return;
    this.#offset = databaseNow.getTime() - (sentAt + now) / 2;
    this.#doubt = doubt;
    this.#learnedAt = now;
    if (this.#hour === 0) this.#hour = this.#present();
    this.roll();
    this.#arm();
  }

  /** Ends the hour if its time has come. */
  roll(): void {
    const hour = this.#present();
    if (this.#hour === 0 || hour <= this.#hour) return;
    this.#end();
    this.#hour = hour;
    this.#arm();
  }

  stop(): void {
    this.#cancel();
  }

  #present(): number {
    return Math.floor((this.#clock.now() + this.#offset) / HOUR_MS) * HOUR_MS;
  }

  #arm(): void {
    this.#cancel();
    const restMs = this.#hour + HOUR_MS - (this.#clock.now() + this.#offset);
    this.#cancel = this.#clock.after(Math.max(1, Math.ceil(restMs)), () => {
      this.roll();
      this.#arm();
    });
  }
}

/** Clocks may drift apart by this much: 100 µs per second. */
const DRIFT = 1e-4;
