import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { post } from '../../src/resolvers/ledger/post.ts';
import { status } from '../../src/resolvers/ledger/status.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import type { Stream } from './stream.ts';
import { balance, billed, leased, World, type TestInstance } from './world.ts';

const PRICE = 3n;

/** All streams pull as fast as they may until every one has ended. @returns milliseconds it took */
async function pullDry(world: World, streams: readonly Stream[], limitMs = 10_000, chunk = 65_536): Promise<number> {
  const start = world.clock.now();
  while (streams.some((stream) => stream.ended === undefined)) {
    if (world.clock.now() - start > limitMs) throw new Error('the streams do not end');
    for (const stream of streams) stream.pull(chunk);
    await world.pass(10);
  }
  return world.clock.now() - start;
}

async function opened(world: World, instance: TestInstance, account: bigint, key: bigint, count: number) {
  const streams: Stream[] = [];
  for (let each = 0; each < count; each += 1) streams.push(await world.stream(instance, account, key));
  return streams;
}

describe('the end of the credit', () => {
  test.each([1_000n, 1_234_567n, 40_000_001n])(
    'credit for %s bytes and a bit delivers exactly these to 50 connections that pull at once',
    async (bytes) => {
      await using world = await World.open();
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
    await using world = await World.open();
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
    await using world = await World.open();
    const account = await newAccount(world.db, 100_000n * PRICE, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const [quick, stuck] = await opened(world, instance, account, key, 2);
    stuck!.pull(30_000);
    stuck!.unaccepted = 30_000;
    quick!.pull(1_000_000);
    expect(quick!.forwarded).toBeLessThanOrEqual(70_000);
    quick!.unaccepted = 5_000;
    await world.pass(300);
    expect([quick!.ended, stuck!.ended]).toEqual([undefined, undefined]);
    quick!.unaccepted = 0;
    await world.pass(700);
    expect([quick!.ended, stuck!.ended]).toEqual(['OUT_OF_CREDIT', 'OUT_OF_CREDIT']);
    await world.pass(3_000);
    expect(quick!.forwarded + stuck!.forwarded).toBe(70_000);
    expect((await billed(world.db, key)).bytes).toBe(70_000n);
    expect(await leased(world.db, key)).toBe(0n);
  });

  test('a remainder that buys a byte of one product only goes to that one', async () => {
    await using world = await World.open();
    const account = await newAccount(world.db, 7n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    expect(await world.open(instance, account, key, 'DEDICATED')).toEqual({ refusal: 'OUT_OF_CREDIT' });
    const [stream] = await opened(world, instance, account, key, 1);
    await pullDry(world, [stream!]);
    expect(stream!.forwarded).toBe(2);
    await world.pass(3_000);
    expect((await balance(world.db, account)).balance).toBe(1n);
  });

  test.each([
    ['KEY', 'day', 'LIMIT_DAY'],
    ['KEY', 'week', 'LIMIT_WEEK'],
    ['ACCOUNT', 'month', 'LIMIT_MONTH'],
  ] as const)('%s limit per %s', async (owner, window, refusal) => {
    await using world = await World.open();
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

describe('terms that change while streams run', () => {
  async function running(world: World) {
    const account = await newAccount(world.db, 10n ** 12n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const [busy, idle] = await opened(world, instance, account, key, 2);
    for (let step = 0; step < 50; step += 1) {
      busy!.pull(10_000);
      await world.pass(10);
    }
    return { account, key, instance, busy: busy!, idle: idle! };
  }

  async function goOn(world: World, busy: Stream, ms: number): Promise<void> {
    for (let step = 0; step < ms / 10; step += 1) {
      busy.pull(10_000);
      await world.pass(10);
    }
  }

  test.each([true, false])('a revoked key ends busy and idle connections (told by event: %s)', async (told) => {
    await using world = await World.open();
    const { account, key, instance, busy, idle } = await running(world);
    await status(world.db, { keyId: key }, false, world.now());
    if (told) instance.events.publish('leasesChanged', { accountId: account, keyIds: [key] });
    await goOn(world, busy, told ? 200 : 700);
    expect([busy.ended, idle.ended]).toEqual(['KEY_REVOKED', 'KEY_REVOKED']);
    await world.pass(2_500);
    expect((await billed(world.db, key)).bytes).toBe(BigInt(busy.forwarded));
    expect(await leased(world.db, key)).toBe(0n);
    expect(await world.open(instance, account, key)).toEqual({ refusal: 'KEY_REVOKED' });
  });

  test('a suspended account', async () => {
    await using world = await World.open();
    const { account, instance, busy, idle } = await running(world);
    await status(world.db, { accountId: account }, false, world.now());
    instance.metering.refresh({ accountId: account, keyIds: null });
    await goOn(world, busy, 200);
    expect([busy.ended, idle.ended]).toEqual(['ACCOUNT_SUSPENDED', 'ACCOUNT_SUSPENDED']);
  });

  test.each([true, false])('a limit lowered below what is used (told by event: %s)', async (told) => {
    await using world = await World.open();
    const { account, key, instance, busy, idle } = await running(world);
    await limits(world.db, { keyId: key }, { day: 1_000n }, world.now());
    const before = busy.forwarded;
    if (told) instance.events.publish('leasesChanged', { accountId: account, keyIds: [key] });
    await goOn(world, busy, told ? 200 : 1_500);
    expect(busy.ended).toBe('LIMIT_DAY');
    if (told) expect([idle.ended, busy.forwarded - before]).toEqual(['LIMIT_DAY', 10_000]);
    expect(await world.open(instance, account, key)).toEqual({ refusal: 'LIMIT_DAY' });
  });

  test('a deposit lets a stream go on that waits, and the next connection through', async () => {
    await using world = await World.open();
    const account = await newAccount(world.db, 30_000n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const streams = await opened(world, instance, account, key, 2);
    await pullDry(world, streams);
    expect(await world.open(instance, account, key)).toEqual({ refusal: 'OUT_OF_CREDIT' });
    const credit = { id: 'more', accountId: account, kind: 'DEPOSIT', contra: 'CUSTODY', amount: 30_000n } as const;
    await post(world.db, credit, world.now());
    const [next] = await opened(world, instance, account, key, 1);
    await pullDry(world, [next!]);
    expect(next!.forwarded).toBe(10_000);
  });
});
