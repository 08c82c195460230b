import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { Stream } from './stream.ts';
import { balance, billed } from './ledgerState.ts';
import { worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

/** A small seeded generator (mulberry32): the same run every time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function oneOf<T>(items: readonly T[], pick: (below: number) => number): T {
  const item = items[pick(items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

describe('instances that share the credit', () => {
  test.each([100_000n, 5_000_000n, 200_000_000n])(
    'two instances, one key, %s nano-credits: all but less than a byte is spent, nothing over',
    async (credit) => {
      await using world = openWorld();
      const account = await newAccount(world.db, credit, world.now());
      const key = await newKey(world.db, account);
      const instances = [await world.instance(), await world.instance()];
      const streams: Stream[] = [];
      for (const instance of instances) {
        for (let each = 0; each < 3; each += 1) streams.push(await world.stream(instance, account, key));
      }
      for (let step = 0; step < 2_000 && streams.some((stream) => stream.ended === undefined); step += 1) {
        for (const [index, stream] of streams.entries()) stream.pull(index === 0 ? 100_000 : 1_000);
        await world.pass(10);
      }
      expect(streams.map((stream) => stream.ended)).toEqual(streams.map(() => 'OUT_OF_CREDIT'));
      await world.pass(3_000);
      const forwarded = BigInt(streams.reduce((sum, stream) => sum + stream.forwarded, 0));
      expect((await billed(world.db, key)).bytes).toBe(forwarded);
      const rest = (await balance(world.db, account)).balance;
      expect(rest).toBeGreaterThanOrEqual(0n);
      expect(rest).toBeLessThan(3n);
      expect((await check(world.db)).violations).toEqual([]);
    },
  );

  test('one hot key gets what an idle key of the account and a trickling instance hold', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 3_000_000n, world.now());
    const [hot, idle, slow] = [
      await newKey(world.db, account),
      await newKey(world.db, account),
      await newKey(world.db, account),
    ];
    const [first, second] = [await world.instance(), await world.instance()];
    const sleeper = await world.stream(first, account, idle);
    sleeper.pull(1);
    const trickle = await world.stream(second, account, slow);
    const stream = await world.stream(first, account, hot);
    for (let step = 0; step < 1_500 && stream.ended === undefined; step += 1) {
      stream.pull(50_000);
      trickle.pull(10);
      await world.pass(10);
    }
    expect(stream.ended).toBe('OUT_OF_CREDIT');
    await world.pass(3_000);
    const { balance: rest } = await balance(world.db, account);
    expect(rest).toBeLessThan(3_000n);
    expect((await check(world.db)).violations).toEqual([]);
  });

  test.each([1, 2, 3])('random sessions on three keys, two instances, lost answers (seed %i)', async (seed) => {
    await using world = openWorld();
    const pick = random(seed);
    const account = await newAccount(world.db, 30_000_000n, world.now());
    const limited = await newKey(world.db, account, { day: 4_000_000n });
    const keys = [await newKey(world.db, account), limited, await newKey(world.db, account)];
    const instances = [await world.instance(() => pick(2) === 0), await world.instance()];
    const streams: Stream[] = [];
    const all: Stream[] = [];
    for (let step = 0; step < 400; step += 1) {
      const instance = oneOf(instances, pick);
      if (pick(12) === 0 && streams.length < 50) {
        const product = pick(2) === 0 ? 'SHARED' : 'DEDICATED';
        const opened = await world.open(instance, account, oneOf(keys, pick), product);
        if ('session' in opened) {
          const stream = new Stream(opened.session);
          streams.push(stream);
          all.push(stream);
        }
      }
      if (pick(40) === 0) instance.line.loseAnswers = 1;
      for (const stream of streams) {
        if (pick(3) === 0) stream.pull(pick(20_000), pick(4) === 0 ? 'up' : 'down');
        stream.unaccepted = Math.min(stream.unaccepted, pick(5_000));
      }
      if (pick(30) === 0) streams.splice(pick(streams.length), 1)[0]?.close();
      await world.pass(10);
    }
    for (const stream of streams) stream.close();
    await world.pass(5_000);
    const forwarded = all.reduce((sum, stream) => sum + stream.forwarded, 0);
    const sum = await billed(world.db, ...keys);
    expect(forwarded).toBeGreaterThan(300_000);
    expect(sum.bytes).toBe(BigInt(forwarded));
    const rest = await balance(world.db, account);
    expect(rest).toEqual({ balance: 30_000_000n - sum.amount, reserved: 0n });
    expect(rest.balance).toBeGreaterThanOrEqual(0n);
    expect((await billed(world.db, limited)).amount).toBeLessThanOrEqual(4_000_000n);
    const { violations, excesses } = await check(world.db);
    expect([violations, excesses]).toEqual([[], []]);
    for (const { metering } of instances) expect(metering.stats()).toMatchObject({ refused: 0, unbilledBytes: 0 });
  });
});
