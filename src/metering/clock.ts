/** Time as the meter sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. Its zero means nothing. */
  now(): number;
  /** Runs `work` once, after `ms`. @returns a function that cancels it */
  after(ms: number, work: () => void): () => void;
}

/** `performance` counts from the start of each thread, `process.hrtime` from the same moment in all of them. */
const BEGIN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The same in every thread of this process. */
export const systemClock: Clock = {
  now: () => BEGIN + performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
