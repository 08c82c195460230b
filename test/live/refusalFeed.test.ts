import { expect, test } from 'vitest';

import type { CountedRefusals } from '../../src/events.ts';
import { RefusalFeed } from '../../src/live/refusalFeed.ts';

const LONG_AGO = new Date(Date.now() - 3_600_000);

function counted(total: bigint, more: Partial<CountedRefusals> = {}): CountedRefusals {
  const at = new Date();
  return {
    ...{ accountId: 1n, keyId: 2n, code: 'LIMIT_DAY', day: '2026-11-22', total, count: 0n, firstAt: at, at },
    ...{ message: '', product: null, clientAddress: null, ...more },
  };
}

async function following(load: readonly CountedRefusals[] = []): Promise<{ feed: RefusalFeed; told: bigint[] }> {
  const feed = new RefusalFeed(async () => load);
  const told: bigint[] = [];
  await feed.follow(
    ({ count }) => told.push(count),
    () => undefined,
  );
  return { feed, told };
}

test('what comes twice, late or in another order is told once', async () => {
  const { feed, told } = await following([counted(10n)]);
  feed.offer(counted(12n, { count: 2n }));
  feed.offer(counted(12n));
  feed.offer(counted(17n, { count: 1n }));
  feed.offer(counted(16n, { count: 4n }));
  expect(told).toEqual([2n, 5n]);
});

test('the first of a day is told whole, from whichever instance it is heard first', async () => {
  const { feed, told } = await following();
  feed.offer(counted(5n, { count: 2n }));
  feed.offer(counted(3n, { count: 3n }));
  feed.offer(counted(7n, { keyId: 3n }));
  expect(told).toEqual([5n, 7n]);
});

test('a key that comes from another account leaves there what was before', async () => {
  const { feed, told } = await following();
  feed.offer(counted(40n, { firstAt: LONG_AGO }));
  feed.offer(counted(41n, { firstAt: LONG_AGO, count: 1n }));
  feed.offer(counted(90n, { keyId: 3n, firstAt: LONG_AGO, count: 5n }));
  expect(told).toEqual([1n, 5n]);
});

test('counts of days that are over are forgotten, and no more than a limit is remembered', async () => {
  const { feed, told } = await following();
  for (let keyId = 1n; keyId <= 2_000n; keyId += 1n) feed.offer(counted(1n, { keyId, count: 1n }));
  feed.offer(counted(1n, { keyId: 2_001n, count: 1n }));
  expect(told).toHaveLength(2_000);
  feed.offer(counted(2n, { keyId: 7n, count: 1n }));
  feed.offer(counted(1n, { keyId: 7n, day: '2026-11-24', count: 1n }));
  expect(told).toHaveLength(2_002);
});

test('refusals that come while the counts are being read are told to nobody: they were before', async () => {
  let loaded: (rows: readonly CountedRefusals[]) => void = () => undefined;
  const feed = new RefusalFeed(() => new Promise((resolve) => (loaded = resolve)));
  const told: bigint[] = [];
  const followed = feed.follow(
    ({ count }) => told.push(count),
    () => undefined,
  );
  feed.offer(counted(5n, { count: 5n }));
  loaded([counted(3n)]);
  await followed;
  feed.offer(counted(6n, { count: 1n }));
  expect(told).toEqual([1n]);
});

test('a read that fails is told to who asked, and tried again for the next', async () => {
  const loads = [Promise.reject(new Error('away')), Promise.resolve([])];
  const feed = new RefusalFeed(() => loads.shift() ?? Promise.resolve([]));
  let idle = 0;
  const follow = (): Promise<() => void> =>
    feed.follow(
      () => undefined,
      () => (idle += 1),
    );
  await expect(follow()).rejects.toThrow('away');
  const stop = await follow();
  expect(idle).toBe(1);
  stop();
  stop();
  expect(idle).toBe(2);
});
