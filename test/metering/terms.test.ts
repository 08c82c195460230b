import { describe, expect, test } from 'vitest';

import { limits } from '../../src/resolvers/ledger/limits.ts';
import { post } from '../../src/resolvers/ledger/post.ts';
import { status } from '../../src/resolvers/ledger/status.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import type { Stream } from './stream.ts';
import { pullDry, two } from './streams.ts';
import { billed, leased } from './ledgerState.ts';
import { type World, worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

describe('terms that change while streams run', () => {
  async function running(world: World) {
    const account = await newAccount(world.db, 10n ** 12n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const [busy, idle] = await two(world, instance, account, key);
    for (let step = 0; step < 50; step += 1) {
      busy.pull(10_000);
      await world.pass(10);
    }
    return { account, key, instance, busy, idle };
  }

  async function goOn(world: World, busy: Stream, ms: number): Promise<void> {
    for (let step = 0; step < ms / 10; step += 1) {
      busy.pull(10_000);
      await world.pass(10);
    }
  }

  test.each([true, false])('a revoked key ends busy and idle connections (told by event: %s)', async (told) => {
    await using world = openWorld();
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
    await using world = openWorld();
    const { account, instance, busy, idle } = await running(world);
    await status(world.db, { accountId: account }, false, world.now());
    instance.metering.refresh({ accountId: account, keyIds: null });
    await goOn(world, busy, 200);
    expect([busy.ended, idle.ended]).toEqual(['ACCOUNT_SUSPENDED', 'ACCOUNT_SUSPENDED']);
  });

  test.each([true, false])('a limit lowered below what is used (told by event: %s)', async (told) => {
    await using world = openWorld();
    const { account, key, instance, busy, idle } = await running(world);
    await limits(world.db, { keyId: key }, { day: 1_000n }, world.now());
    const before = busy.forwarded;
    if (told) instance.events.publish('leasesChanged', { accountId: account, keyIds: [key] });
    await goOn(world, busy, told ? 200 : 1_500);
    expect(busy.ended).toBe('LIMIT_DAY');
    if (told) expect([idle.ended, busy.forwarded - before]).toEqual(['LIMIT_DAY', 10_000]);
    expect(await world.open(instance, account, key)).toEqual({ refusal: 'LIMIT_DAY' });
  });

  test('a limit lowered ends idle connections, too, although nobody asks for credit', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 10n ** 12n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const idle = await world.stream(instance, account, key);
    idle.pull(1_000);
    await world.pass(5_000);
    await limits(world.db, { keyId: key }, { week: 3_000n }, world.now());
    instance.metering.refresh({ accountId: account, keyIds: [key] });
    await world.pass(200);
    expect(idle.ended).toBe('LIMIT_WEEK');
  });

  test('a deposit lets a stream go on that waits, and the next connection through', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 30_000n, world.now());
    const key = await newKey(world.db, account);
    const instance = await world.instance();
    const streams = await two(world, instance, account, key);
    await pullDry(world, streams);
    expect(await world.open(instance, account, key)).toEqual({ refusal: 'OUT_OF_CREDIT' });
    const credit = {
      id: `more:${account}`,
      accountId: account,
      kind: 'DEPOSIT',
      contra: 'CUSTODY',
      amount: 30_000n,
    } as const;
    await post(world.db, credit, world.now());
    const next = await world.stream(instance, account, key);
    await pullDry(world, [next]);
    expect(next.forwarded).toBe(10_000);
  });
});
