/** Time as the meter sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. Its zero means nothing. */
  now(): number;
  /** Runs `work` once, after `ms`. @returns a function that cancels it */
  after(ms: number, work: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
