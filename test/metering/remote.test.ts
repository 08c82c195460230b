import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { seededRandom } from '../simulation/random.ts';
import { balance, billed, leased } from './ledgerState.ts';
import { RemoteStream } from './remoteStream.ts';
import { customer } from './streams.ts';
import { type TestInstance, type World, worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

const PRICE = 3n;

async function remote(
  world: World,
  instance: TestInstance,
  account: bigint,
  key: bigint,
  lagTurns?: () => number,
): Promise<RemoteStream> {
  const opened = await world.open(instance, account, key);
  if ('refusal' in opened) throw new Error(`refused: ${opened.refusal}`);
  return new RemoteStream(opened.session, lagTurns);
}

/** Lets time pass, a turn of every stream each millisecond. */
async function turns(world: World, streams: readonly RemoteStream[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1) {
    for (const stream of streams) stream.turn();
    await world.pass(1);
  }
}

describe('a relay in another thread', () => {
  test.each([1_000n, 1_234_567n])(
    'credit for %s bytes delivers exactly these to 20 connections, however late orders are seen',
    async (bytes) => {
      await using world = openWorld();
      const random = seededRandom(Number(bytes));
      const account = await newAccount(world.db, bytes * PRICE + 2n, world.now());
      const key = await newKey(world.db, account);
      const instance = await world.instance();
      const streams: RemoteStream[] = [];
      for (let each = 0; each < 20; each += 1) {
        streams.push(await remote(world, instance, account, key, () => random.int(0, 4)));
      }
      for (let step = 0; step < 200 && streams.some(({ ended }) => ended === undefined); step += 1) {
        for (const stream of streams) stream.waiting = 40_000;
        await turns(world, streams, 50);
      }
      await turns(world, streams, 10);
      expect(new Set(streams.map(({ ended }) => ended))).toEqual(new Set(['OUT_OF_CREDIT']));
      expect(streams.reduce((sum, stream) => sum + stream.close(), 0)).toBe(Number(bytes));
      await world.pass(3_000);
      expect(await billed(world.db, key)).toEqual({ bytes, amount: bytes * PRICE });
      expect(await balance(world.db, account)).toEqual({ balance: 2n, reserved: 0n });
      expect((await check(world.db)).violations).toEqual([]);
    },
  );

  test('sixty-four busy connections share a lease evenly: while it lasts, none waits for what others hold', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const streams = await Promise.all(Array.from({ length: 64 }, () => remote(world, instance, account, key)));
    let waits = 0;
    // 1.3 GB/s over all of them: known after a second.
    for (let ms = 0; ms < 3_000; ms += 1) {
      for (const stream of streams) stream.waiting = 20_000;
      await turns(world, streams, 1);
      if (ms >= 1_000) waits += streams.filter(({ waiting }) => waiting > 0).length;
    }
    // Of 64 streams in 2,000 turns.
    expect(waits / (64 * 2_000)).toBeLessThan(0.02);
    expect(instance.ticks.length).toBeLessThanOrEqual(3 * 4);
  });

  test('what it has not accepted the loss of is not lent again, and what it spent meanwhile is not given back', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 100_000n * PRICE, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const late = await remote(world, instance, account, key, () => 40);
    const other = await remote(world, instance, account, key);
    late.waiting = 1_000;
    await turns(world, [late], 10);
    late.waiting = 1_000_000;
    other.waiting = 1_000_000;
    for (let step = 0; step < 3_000 && late.ended === undefined; step += 1) {
      await turns(world, [late, other], 1);
      expect(late.spent + other.spent).toBeLessThanOrEqual(100_000);
    }
    await turns(world, [late, other], 100);
    expect(late.close() + other.close()).toBe(100_000);
    await world.pass(3_000);
    expect((await billed(world.db, key)).bytes).toBe(100_000n);
  });

  test('who spends credit that is being taken back, and asks for more before it has let go, is not forgotten', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    let recalls = 0;
    const stream: RemoteStream = await remote(world, instance, account, key, () => {
      // Bytes come the moment idle credit is asked back, long before the thread hears of that.
      if ((recalls += 1) === 1) stream.waiting = 5_000_000;
      return 40;
    });
    stream.waiting = 3_000_000;
    await turns(world, [stream], 5_000);
    expect(recalls).toBeGreaterThan(0);
    expect(stream.spent).toBe(8_000_000);
    expect(stream.close()).toBe(8_000_000);
    await world.pass(3_000);
    expect((await billed(world.db, key)).bytes).toBe(8_000_000n);
    expect((await check(world.db)).violations).toEqual([]);
  });

  test('a lowered limit takes the whole lease back, in one piece, once the thread has let go', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await remote(world, instance, account, key, () => 3);
    stream.waiting = 200_000;
    await turns(world, [stream], 300);
    expect(stream.spent).toBe(200_000);
    await limits(world.db, { accountId: account }, { day: 200_000n * PRICE }, world.now());
    instance.events.publish('leasesChanged', { accountId: account, keyIds: null });
    await turns(world, [stream], 20);
    expect(await leased(world.db, key)).toBe(0n);
    stream.waiting = 1_000_000;
    await turns(world, [stream], 3_000);
    expect([stream.ended, stream.close()]).toEqual(['LIMIT_DAY', 200_000]);
    await world.pass(3_000);
    expect(await leased(world.db, key)).toBe(0n);
    expect((await billed(world.db, key)).bytes).toBe(200_000n);
  });

  test('a thread that is gone: what was accepted is billed, the rest is not', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await remote(world, instance, account, key);
    stream.unaccepted = 30_000;
    stream.waiting = 100_000;
    await turns(world, [stream], 1_500);
    expect((await billed(world.db, key)).bytes).toBe(70_000n);
    expect(stream.close()).toBe(70_000);
    await world.pass(3_000);
    expect((await billed(world.db, key)).bytes).toBe(70_000n);
    expect(await leased(world.db, key)).toBe(0n);
  });
});
