import { describe, expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { balance, billed, leased } from './ledgerState.ts';
import { worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

const CREDIT = 1_000_000_000_000n;

describe('one instance, enough credit', () => {
  test('what flowed is billed exactly, then the lease goes back', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, CREDIT, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    const dedicated = await world.stream(instance, account, key, 'DEDICATED');
    for (let step = 0; step < 40; step += 1) {
      stream.pull(65_536 + step);
      stream.pull(100, 'up');
      dedicated.pull(1_000);
      await world.pass(20);
    }
    await world.pass(1_100);
    expect(stream.held).toBe(0);
    const sum = await billed(world.db, key);
    expect(sum.bytes).toBe(BigInt(stream.forwarded + dedicated.forwarded));
    expect(sum.amount).toBe(3n * BigInt(stream.forwarded) + 8n * BigInt(dedicated.forwarded));
    expect((await balance(world.db, account)).balance).toBe(CREDIT - sum.amount);
    expect(instance.published.reduce((total, event) => total + event.amount, 0n)).toBe(-sum.amount);
    await world.pass(2_500);
    expect(await leased(world.db, key)).toBe(0n);
    expect((await check(world.db)).violations).toEqual([]);
    expect(instance.metering.stats()).toMatchObject({ activeKeys: 0, openSessions: 2, unbilledBytes: 0, refused: 0 });
    const before = instance.ticks.length;
    await world.pass(10_000);
    expect(instance.ticks.length).toBe(before);
  });

  test('a connection takes what others hold unspent at once, without asking the ledger', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 300_000n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const [holder, taker] = [await world.stream(instance, account, key), await world.stream(instance, account, key)];
    const lease = Number(await leased(world.db, key));
    expect(holder.pull(10)).toBe(10);
    const rest = Math.floor(lease / 3) - 10;
    expect(taker.pull(rest)).toBe(rest);
    expect(holder.pull(1)).toBe(0);
    await world.pass(100);
    expect(holder.forwarded).toBe(11);
  });

  test('the ledger is touched at most four times a second, however many connections', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, CREDIT * 100n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance(() => true);
    const streams = await Promise.all(Array.from({ length: 50 }, () => world.stream(instance, account, key)));
    for (let step = 0; step < 500; step += 1) {
      for (const stream of streams) stream.pull(20_000 * (1 + (step % 7)));
      await world.pass(10);
    }
    const times = instance.ticks.map((each) => each.at);
    expect(times.length).toBeGreaterThan(8);
    for (const [index, at] of times.entries()) {
      const fourth = times[index + 4];
      if (fourth !== undefined) expect(fourth - at).toBeGreaterThanOrEqual(1_000);
    }
    // 5 s at 50 connections: nearly everything offered has passed.
    const offered = 50 * 20_000 * 4 * 500;
    const forwarded = streams.reduce((sum, stream) => sum + stream.forwarded, 0);
    expect(forwarded).toBeGreaterThan(offered * 0.7);
  });
});
