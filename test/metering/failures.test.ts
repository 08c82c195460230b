import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { expire } from '../../src/resolvers/ledger/upkeep.ts';
import { openTestDatabase } from '../harness/database.ts';
import { CREDIT, customer } from './streams.ts';
import { balance, billed, leased } from './ledgerState.ts';
import { World, worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

describe('calls that fail', () => {
  test('lost answers and late duplicates change nothing', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance(() => true);
    instance.line.duplicate = true;
    const stream = await world.stream(instance, account, key);
    for (let step = 0; step < 200; step += 1) {
      if (step % 20 === 0) instance.line.loseAnswers = 1 + (step % 3);
      stream.pull(30_000 + step * 100);
      await world.pass(10);
    }
    await world.pass(4_000);
    expect(instance.metering.stats().failures).toBeGreaterThan(5);
    expect(stream.held).toBe(0);
    expect(await billed(world.db, key)).toEqual({
      bytes: BigInt(stream.forwarded),
      amount: 3n * BigInt(stream.forwarded),
    });
    expect(await leased(world.db, key)).toBe(0n);
    expect(instance.metering.stats().refused).toBe(0);
    expect((await check(world.db)).violations).toEqual([]);
  });

  test('database away: the lease is spent, for 7.5 s at most; afterwards service resumes and all is billed', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    const idle = await world.stream(instance, account, key);
    for (let step = 0; step < 100; step += 1) {
      stream.pull(100_000);
      await world.pass(10);
    }
    instance.line.cut = true;
    const lease = Number(await leased(world.db, key));
    const before = stream.forwarded;
    for (let step = 0; step < 69; step += 1) {
      stream.pull(1_000);
      await world.pass(100);
    }
    expect([stream.ended, idle.ended]).toEqual([undefined, undefined]);
    expect(stream.forwarded).toBeGreaterThan(before);
    expect((stream.forwarded - before) * 3).toBeLessThanOrEqual(lease);
    const { forwardUntil } = instance.metering;
    expect(forwardUntil[0]).toBeGreaterThan(world.clock.now());
    await world.pass(600);
    expect(forwardUntil[0]).toBeLessThanOrEqual(world.clock.now());
    expect([stream.ended, idle.ended]).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE']);
    expect(await instance.metering.openSession({ keyId: key, accountId: account }, 'SHARED')).toEqual({
      refusal: 'SERVICE_UNAVAILABLE',
    });
    expect(instance.metering.stats()).toMatchObject({ forwarding: false });
    await world.pass(2_000);
    instance.line.cut = false;
    await world.pass(3_000);
    const next = await world.stream(instance, account, key);
    expect(next.pull(500)).toBe(500);
    await world.pass(3_000);
    expect((await billed(world.db, key)).bytes).toBe(BigInt(stream.forwarded + 500));
    expect(instance.metering.stats()).toMatchObject({ lostBytes: 0, refused: 0, forwarding: true });
  });

  test('a fenced instance closes everything and starts again under a new id', async () => {
    await using db = await openTestDatabase();
    await using world = new World(db);
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    stream.pull(10_000);
    await world.pass(1_500);
    stream.pull(7_000);
    instance.line.cut = true;
    await world.pass(16_000);
    expect(stream.ended).toBe('SERVICE_UNAVAILABLE');
    expect(await expire(world.db, 15_000, world.now())).toHaveLength(1);
    instance.line.cut = false;
    await world.pass(3_000);
    expect(instance.ids).toHaveLength(2);
    expect(instance.metering.stats()).toMatchObject({ lostBytes: 7_000, forwarding: true, openSessions: 0 });
    const next = await world.stream(instance, account, key);
    next.pull(500);
    await world.pass(3_000);
    // What was not settled is in the customer's favour; nothing is billed twice.
    expect((await billed(world.db, key)).bytes).toBe(10_500n);
    expect(await balance(world.db, account)).toEqual({ balance: CREDIT - 31_500n, reserved: 0n });
    expect((await check(world.db)).violations).toEqual([]);
  });

  test('a row that makes the call fail keeps no other key from being settled', async () => {
    await using world = openWorld();
    const customers = [await customer(world), await customer(world), await customer(world)] as const;
    const instance = await world.instance();
    for (const { account, key } of customers) (await world.stream(instance, account, key)).pull(1_000);
    instance.line.poison = customers[1].key;
    await world.pass(3_000);
    const bytes = await Promise.all(customers.map(async ({ key }) => (await billed(world.db, key)).bytes));
    expect(bytes).toEqual([1_000n, 0n, 1_000n]);
    instance.line.poison = undefined;
    await world.pass(2_000);
    expect((await billed(world.db, customers[1].key)).bytes).toBe(1_000n);
  });

  test('a key the ledger does not know', async () => {
    await using world = openWorld();
    const instance = await world.instance();
    expect(await world.open(instance, 4_711n, 4_711n)).toEqual({ refusal: 'KEY_UNKNOWN' });
    expect(instance.metering.stats()).toMatchObject({ activeKeys: 0, refused: 1 });
  });
});
