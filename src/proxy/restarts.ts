const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Milliseconds of work after which a crash counts as the first again. */
const GOOD_WORK_MS = 60_000;

/** How long to wait before what crashed is started again: at once would be a busy loop if it always does. */
export class Restarts {
  #pauseMs = 0;
  #startedAt = 0;

  /** @param now milliseconds of any one clock that does not go backwards */
  started(now: number): void {
    this.#startedAt = now;
  }

  /** It crashed. @returns milliseconds to wait: twice as long as the last time, up to ten seconds */
  pauseMs(now: number): number {
    if (now - this.#startedAt >= GOOD_WORK_MS) this.#pauseMs = 0;
    this.#pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, 2 * this.#pauseMs), LONGEST_PAUSE_MS);
    return this.#pauseMs;
  }
}
