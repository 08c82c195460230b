import { describe, expect, test } from 'vitest';

import type { RefusalCode } from '../../src/errors.ts';
import type { MeterSession } from '../../src/metering/session.ts';
import { check } from '../../src/resolvers/ledger/check.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { balance, billed } from './ledgerState.ts';
import { type TestInstance, type World, worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

const PRICE = 3n;

/** An association reduced to its contract with the meter: what is not covered whole is dropped. */
class Datagrams {
  readonly session: MeterSession;
  ended: RefusalCode | undefined;
  forwarded = 0;

  constructor(session: MeterSession) {
    this.session = session;
    session.attach({
      granted: () => undefined,
      ended: (reason) => {
        this.ended = reason;
        session.close();
      },
    });
  }

  send(bytes: number): boolean {
    if (this.ended !== undefined || !this.session.spendWhole('up', bytes)) return false;
    this.forwarded += bytes;
    return true;
  }
}

async function opened(world: World, instance: TestInstance, account: bigint, key: bigint): Promise<Datagrams> {
  const answer = await world.open(instance, account, key);
  if ('refusal' in answer) throw new Error(answer.refusal);
  return new Datagrams(answer.session);
}

describe('datagrams are spent whole or not at all', () => {
  test.each([1_400, 60_000])('of %i bytes: all that the credit covers go, then the session ends', async (size) => {
    await using world = openWorld();
    const count = 7n;
    const account = await newAccount(world.db, (count * BigInt(size) + 1_000n) * PRICE, world.now());
    const key = await newKey(world.db, account);
    const datagrams = await opened(world, await world.instance(), account, key);
    for (let ms = 0; ms < 5_000 && datagrams.ended === undefined; ms += 10) {
      datagrams.send(size);
      await world.pass(10);
    }
    expect(datagrams.ended).toBe('OUT_OF_CREDIT');
    expect(datagrams.forwarded).toBe(Number(count) * size);
    await world.pass(3_000);
    const bytes = count * BigInt(size);
    expect(await billed(world.db, key)).toEqual({ bytes, amount: bytes * PRICE });
    expect(await balance(world.db, account)).toEqual({ balance: 1_000n * PRICE, reserved: 0n });
    expect((await check(world.db)).violations).toEqual([]);
  });

  test('one that is not covered costs nothing, and a smaller one may still go', async () => {
    await using world = openWorld();
    const account = await newAccount(world.db, 1_000n * PRICE, world.now());
    const key = await newKey(world.db, account);
    const datagrams = await opened(world, await world.instance(), account, key);
    expect([datagrams.send(1_001), datagrams.send(0), datagrams.send(400)]).toEqual([false, true, true]);
    await world.pass(300);
    // The smaller one is not what the meter was asked for: it goes on.
    expect(datagrams.ended).toBeUndefined();
    expect(datagrams.send(600)).toBe(true);
    expect(datagrams.send(1)).toBe(false);
    await world.pass(2_000);
    expect(datagrams.ended).toBe('OUT_OF_CREDIT');
    expect(await billed(world.db, key)).toEqual({ bytes: 1_000n, amount: 1_000n * PRICE });
  });
});
