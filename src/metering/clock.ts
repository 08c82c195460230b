/** Time as the meter sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. Its zero means nothing. */
  now(): number;
  /** Runs `work` once, after `ms`. @returns a function that cancels it */
  after(ms: number, work: () => void): () => void;
}

/** Readings of the two clocks that are compared: between two of them a busy machine may put the thread aside. */
const READINGS = 16;

/** When this thread began, by the clock that all threads share: `performance` counts from the start of each. */
const BEGIN = ((): number => {
  let [begin, gap] = [0, Number.POSITIVE_INFINITY];
  for (let reading = 0; reading < READINGS; reading += 1) {
    const before = performance.now();
    const shared = Number(process.hrtime.bigint()) / 1e6;
    const after = performance.now();
    if (after - before < gap) [begin, gap] = [shared - (before + after) / 2, after - before];
  }
  return begin;
})();

/** The same in every thread of this process, but for some microseconds. */
export const systemClock: Clock = {
  now: () => BEGIN + performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
