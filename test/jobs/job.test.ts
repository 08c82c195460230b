import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { startJobs, type JobContext } from '../../src/jobs/job.ts';
import { createLogger } from '../../src/log.ts';

const context = { log: createLogger('silent') } as JobContext;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a job runs again after its pause, never twice at once, also when it fails', async () => {
  let running = 0;
  let runs = 0;
  const run = async (): Promise<void> => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    running -= 1;
    runs += 1;
    if (runs === 1) throw new Error('the first run fails');
  };
  const jobs = startJobs([{ name: 'slow', pauseMs: 1_000, run }], context);
  await vi.advanceTimersByTimeAsync(999);
  expect(running).toBe(0);
  await vi.advanceTimersByTimeAsync(3 * 6_200);
  expect(runs).toBe(3);
  const stopped = jobs.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  await stopped;
});

test('stopping waits for the run under way and starts no other', async () => {
  let runs = 0;
  const run = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    runs += 1;
  };
  const jobs = startJobs([{ name: 'one', pauseMs: 100, run }], context);
  await vi.advanceTimersByTimeAsync(130);
  const stopped = jobs.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  await stopped;
  expect(runs).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('a job that is woken runs at once, and once more when it was running, however often it is called', async () => {
  let runs = 0;
  const run = async (): Promise<void> => {
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
  };
  const jobs = startJobs([{ name: 'one', pauseMs: 60_000, run }], context);
  jobs.wake('one');
  jobs.wake('one');
  expect(runs).toBe(0);
  await vi.advanceTimersByTimeAsync(30);
  expect(runs).toBe(1);
  for (let calls = 0; calls < 5; calls += 1) jobs.wake('one');
  await vi.advanceTimersByTimeAsync(400);
  expect(runs).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(runs).toBe(2);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(runs).toBe(2);
  await jobs.stop();
  jobs.wake('one');
  expect(vi.getTimerCount()).toBe(0);
});

test('waking one job lets the others be', async () => {
  const runs: string[] = [];
  const job = (name: string) => ({ name, pauseMs: 60_000, run: async () => void runs.push(name) });
  const jobs = startJobs([job('one'), job('other')], context);
  jobs.wake('one');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs).toEqual(['one']);
  await jobs.stop();
});

test('a run under way hears that the server stops', async () => {
  const run = (_context: JobContext, stopping: AbortSignal): Promise<void> =>
    new Promise((resolve) => stopping.addEventListener('abort', () => resolve()));
  const jobs = startJobs([{ name: 'one', pauseMs: 100, atStart: true, run }], context);
  await jobs.stop();
  expect(vi.getTimerCount()).toBe(0);
});
