import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { opened, pullDry, two } from './streams.ts';
import { balance, billed, leased } from './ledgerState.ts';
import { worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

const PRICE = 3n;

describe('the end of the credit', () => {
  test.each([1_000n, 1_234_567n, 40_000_001n])(
    'credit for %s bytes and a bit delivers exactly these to 50 connections that pull at once',
    async (bytes) => {
      await using world = openWorld();
      const account = await newAccount(world.db, bytes * PRICE + 2n, world.now());
      const key = await newKey(world.db, account);
      const instance = await world.instance();
      const streams = await opened(world, instance, account, key, 50);
      await pullDry(world, streams);
      expect(new Set(streams.map((stream) => stream.ended))).toEqual(new Set(['OUT_OF_CREDIT']));
      expect(streams.reduce((sum, stream) => sum + stream.forwarded, 0)).toBe(Number(bytes));
      await world.pass(3_000);
      expect(await billed(world.db, key)).toEqual({ bytes, amount: bytes * PRICE });
      expect(await balance(world.db, account)).toEqual({ balance: 2n, reserved: 0n });
      const empty = await world.open(instance, account, key);
      expect(empty).toEqual({ refusal: 'OUT_OF_CREDIT' });
      expect((await check(world.db)).violations).toEqual([]);
    },
  );

  test('streams end within a second of the last byte, and the ledger is asked at most twenty times a second', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 50_000_000n * PRICE, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const streams = await opened(world, instance, account, key, 5);
    let lastByteAt = 0;
    while (streams.some((stream) => stream.ended === undefined)) {
      for (const stream of streams) if (stream.pull(100_000) > 0) lastByteAt = world.clock.now();
      const before = streams.reduce((sum, stream) => sum + stream.forwarded, 0);
      await world.pass(10);
      if (streams.reduce((sum, stream) => sum + stream.forwarded, 0) > before) lastByteAt = world.clock.now();
    }
    expect(world.clock.now() - lastByteAt).toBeLessThanOrEqual(1_000);
    const times = instance.ticks.map((each) => each.at);
    for (const [index, at] of times.entries()) {
      const next = times[index + 1];
      if (next !== undefined && at > 1_000) expect(next - at).toBeGreaterThanOrEqual(50);
    }
  });

  test('last bytes on their way are delivered before the connection ends, for 600 ms at most', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 100_000n * PRICE, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const [quick, stuck] = await two(world, instance, account, key);
    stuck.pull(30_000);
    stuck.unaccepted = 30_000;
    quick.pull(1_000_000);
    expect(quick.forwarded).toBeLessThanOrEqual(70_000);
    quick.unaccepted = 5_000;
    await world.pass(300);
    expect([quick.ended, stuck.ended]).toEqual([undefined, undefined]);
    quick.unaccepted = 0;
    await world.pass(700);
    expect([quick.ended, stuck.ended]).toEqual(['OUT_OF_CREDIT', 'OUT_OF_CREDIT']);
    await world.pass(3_000);
    expect(quick.forwarded + stuck.forwarded).toBe(70_000);
    expect((await billed(world.db, key)).bytes).toBe(70_000n);
    expect(await leased(world.db, key)).toBe(0n);
  });

  test('a remainder that buys a byte of one product only goes to that one', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 7n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    expect(await world.open(instance, account, key, 'DEDICATED')).toEqual({ refusal: 'OUT_OF_CREDIT' });
    const stream = await world.stream(instance, account, key);
    await pullDry(world, [stream]);
    expect(stream.forwarded).toBe(2);
    await world.pass(3_000);
    expect((await balance(world.db, account)).balance).toBe(1n);
  });

  test.each([
    ['KEY', 'day', 'LIMIT_DAY'],
    ['KEY', 'week', 'LIMIT_WEEK'],
    ['ACCOUNT', 'month', 'LIMIT_MONTH'],
  ] as const)('%s limit per %s', async (owner, window, refusal) => {
    await using world = openWorld();
    const account = await newAccount(world.db, 10n ** 12n, world.now());
    const key = await newKey(world.db, account, owner === 'KEY' ? { [window]: 300_000n } : {});
    if (owner === 'ACCOUNT') await limits(world.db, { accountId: account }, { [window]: 300_000n }, world.now());
    const instance = await world.instance();
    const streams = await opened(world, instance, account, key, 3);
    await pullDry(world, streams);
    expect(streams.map((stream) => stream.ended)).toEqual([refusal, refusal, refusal]);
    await world.pass(3_000);
    expect((await billed(world.db, key)).amount).toBe(300_000n);
  });
});
