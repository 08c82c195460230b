import { afterAll, beforeAll, expect, test } from 'vitest';

import { sqlState } from '../../../src/database/sql.ts';
import { beat } from '../../../src/resolvers/ledger/beat.ts';
import { check, checkChain } from '../../../src/resolvers/ledger/check.ts';
import { limits } from '../../../src/resolvers/ledger/limits.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import { close, expire, prune } from '../../../src/resolvers/ledger/upkeep.ts';
import { hourStart } from '../../../src/units.ts';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { newAccount, newInstance, newKey } from './fixture.ts';

const CREDIT = 1_000_000_000n;
const ROUNDS = 40;

let db: TestDatabase;
beforeAll(async () => void (db = await openTestDatabase()));
afterAll(() => db.close());

/** Settles 100 bytes of every key per round, over the wall clock. @returns nano-credits spent */
async function relay(keys: readonly bigint[], reversed: boolean): Promise<bigint> {
  const instance = await newInstance(db);
  const order = reversed ? keys.toReversed() : keys;
  let spent = 0n;
  for (let seq = 1n; seq <= ROUNDS; seq += 1n) {
    const lines = seq === 1n ? [] : order.map((keyId) => ({ keyId, product: 'SHARED' as const, hour: hourStart(new Date()), up: 40n, down: 60n })); // prettier-ignore
    const want = seq === BigInt(ROUNDS) ? 0n : 3_000n;
    const result = await tick(db, instance, order.map((keyId) => ({ keyId, seq, want })), lines); // prettier-ignore
    expect(result.answers.every(({ outcome }) => outcome === 'APPLIED')).toBe(true);
    spent = result.answers.reduce((sum, answer) => sum + answer.spent, 0n);
    await beat(db, instance);
  }
  return spent;
}

test('relays, deposits, limits, merges and upkeep at once: no deadlock, every nano-credit in its place', async () => {
  const accounts = await Promise.all(Array.from({ length: 6 }, () => newAccount(db, CREDIT)));
  const keys = await Promise.all(accounts.flatMap((account) => [newKey(db, account), newKey(db, account)]));
  let deposited = CREDIT * BigInt(accounts.length);
  const repeat = async (work: (round: number) => Promise<unknown>): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) await work(round);
  };
  const merges = async (): Promise<void> => {
    await merge(db, accounts[0]!, accounts[1]!);
    await merge(db, accounts[1]!, accounts[2]!);
    await merge(db, accounts[5]!, accounts[2]!);
  };
  const [one, two, three] = await Promise.all([
    relay(keys, false),
    relay(keys, true),
    relay(keys, false),
    repeat(async (round) => {
      const posting = { id: `busy:${round}`, kind: 'DEPOSIT', contra: 'CARD', amount: 7n } as const;
      const { outcome } = await post(db, { ...posting, accountId: accounts[3]! });
      if (outcome === 'APPLIED') deposited += 7n;
    }),
    repeat((round) => limits(db, { keyId: keys[round % keys.length]! }, { day: 900_000_000n + BigInt(round) })),
    repeat(async () => {
      await close(db);
      await prune(db, undefined, 50);
      await expire(db);
    }),
    merges(),
  ]);
  const [row] = await db.query<{ total: bigint; reserved: bigint }>({
    name: '',
    text: 'select sum(balance)::bigint as total, sum(reserved)::bigint as reserved from account',
  });
  expect(row).toEqual({ total: deposited - one - two - three, reserved: 0n });
  expect(one).toBe(BigInt(keys.length * (ROUNDS - 1)) * 300n);
  expect(await check(db)).toEqual({ drift: 0n, violations: [], excesses: [] });
  expect(await checkChain(db)).toEqual([]);
});

test('another isolation level than READ COMMITTED is refused', async () => {
  const failure = await db
    .transaction(async (tx) => {
      await tx.query({ name: '', text: 'set transaction isolation level repeatable read' });
      await tick(tx, await newInstance(tx), [], []);
    })
    .catch((error: unknown) => error);
  expect(sqlState(failure)).toBe('25001');
});
