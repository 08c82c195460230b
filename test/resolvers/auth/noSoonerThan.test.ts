import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { noSoonerThan } from '../../../src/resolvers/auth/noSoonerThan.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const working = (milliseconds: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('done'), milliseconds));

test.each([
  [0, 250],
  [1, 250],
  [249, 250],
  [251, 500],
  [730, 750],
])('work of %s ms answers after %s ms', async (workMs, answerMs) => {
  const startedAt = performance.now();
  const answer = noSoonerThan(250, () => working(workMs)).then((text) => ({
    text,
    after: performance.now() - startedAt,
  }));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await answer).toEqual({ text: 'done', after: answerMs });
});

test('work that fails answers as late', async () => {
  const startedAt = performance.now();
  const failing = async (): Promise<never> => {
    await working(40);
    throw new Error('no');
  };
  const answer = noSoonerThan(250, failing).catch((error: Error) => ({
    message: error.message,
    after: performance.now() - startedAt,
  }));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await answer).toEqual({ message: 'no', after: 250 });
});
