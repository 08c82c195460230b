import { expect, test } from 'vitest';

import { Restarts } from '../../src/proxy/restarts.ts';

test('pauses grow to ten seconds, and are short again after a minute of good work', () => {
  const restarts = new Restarts();
  let now = 0;
  const crashAfter = (workedMs: number): number => {
    restarts.started(now);
    now += workedMs;
    const pause = restarts.pauseMs(now);
    now += pause;
    return pause;
  };
  const pauses = Array.from({ length: 10 }, () => crashAfter(20));
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
  expect(crashAfter(59_999)).toBe(10_000);
  expect(crashAfter(60_000)).toBe(100);
  expect(crashAfter(0)).toBe(200);
});
