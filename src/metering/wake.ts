import type { Clock } from './clock.ts';

/** One timer for many wishes: the earliest one wins, and the work then asks anew. */
export class Wake {
  readonly #clock: Clock;
  readonly #work: () => void;
  #at = Number.POSITIVE_INFINITY;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Runs the work at this time of the clock, or before. */
  by(at: number): void {
    if (at >= this.#at || this.#stopped) return;
    this.#cancel();
    this.#at = at;
    this.#cancel = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#work();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }
}
