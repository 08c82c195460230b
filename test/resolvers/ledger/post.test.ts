import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { check, checkChain } from '../../../src/resolvers/ledger/check.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { openKey } from '../../../src/resolvers/ledger/open.ts';
import { post, type Posting } from '../../../src/resolvers/ledger/post.ts';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { newAccount, newInstance, newKey, settle } from './fixture.ts';

const NOON = new Date('2026-03-10T12:00:00Z');
const ENTRIES = sql(
  'testEntries',
  'select id, amount, balance_after from ledger_entry where account_id = $1 order by no',
);

let db: TestDatabase;
beforeAll(async () => void (db = await openTestDatabase()));
afterAll(() => db.close());

const deposit = (accountId: bigint, id: string, amount = 500n): Posting => ({
  id,
  accountId,
  kind: 'DEPOSIT',
  contra: 'CUSTODY',
  amount,
});

test('one id posted a hundred times at once is one entry', async () => {
  const account = await newAccount(db);
  const results = await Promise.all(Array.from({ length: 100 }, () => post(db, deposit(account, 'chain:1:0xabc'))));
  expect(results.filter(({ outcome }) => outcome === 'APPLIED')).toHaveLength(1);
  expect(results.filter(({ outcome }) => outcome === 'REPLAY')).toHaveLength(99);
  expect(new Set(results.map(({ txId }) => txId)).size).toBe(1);
  expect(results.every(({ balance }) => balance === 500n)).toBe(true);
  expect(await db.query(ENTRIES, [account])).toEqual([{ id: 'chain:1:0xabc', amount: 500n, balance_after: 500n }]);
});

test('the same id with other content, or for two accounts at once, is a mismatch', async () => {
  const [one, two] = [await newAccount(db), await newAccount(db)];
  await post(db, deposit(one, 'order:7'));
  expect(await post(db, deposit(one, 'order:7', 501n))).toMatchObject({ outcome: 'MISMATCH', events: [] });
  const race = await Promise.all([one, two].map((account) => post(db, deposit(account, 'order:8'))));
  expect(race.map(({ outcome }) => outcome).toSorted()).toEqual(['APPLIED', 'MISMATCH']);
  expect(await check(db)).toMatchObject({ drift: 0n, violations: [] });
});

test('a floor refuses what is not there, a reversal does not', async () => {
  const account = await newAccount(db, 100_000n, NOON);
  const instance = await newInstance(db, NOON);
  const key = await newKey(db, account);
  await settle(db, instance, { keyId: key, seq: 1n, want: 40_000n }, NOON);
  const take = (id: string, amount: bigint, floor: boolean): ReturnType<typeof post> =>
    post(
      db,
      { id, accountId: account, kind: floor ? 'ADJUSTMENT' : 'REVERSAL', contra: 'ADJUST', amount, floor },
      NOON,
    );
  expect(await take('take:1', -60_001n, true)).toMatchObject({
    outcome: 'INSUFFICIENT',
    balance: 100_000n,
    events: [],
  });
  expect(await take('take:2', -60_000n, true)).toMatchObject({ outcome: 'APPLIED', balance: 40_000n });
  const reversal = await take('take:3', -70_000n, false);
  expect(reversal).toMatchObject({ outcome: 'APPLIED', balance: -30_000n });
  expect(reversal.events).toMatchObject([{ kind: 'entry', amount: -70_000n, balance: -30_000n, remaining: 0n }]);
  const result = await check(db);
  expect(result.violations).toEqual([]);
  expect(result.excesses).toEqual([{ invariant: 3, subject: `account ${account}: balance`, difference: 70_000n }]);
});

test('a deposit to a merged account names the target, and is found there again', async () => {
  const [a, b, c] = [await newAccount(db, 100n), await newAccount(db, 20n), await newAccount(db, 3n)];
  const before = await post(db, deposit(a, 'late:0'));
  expect((await merge(db, a, b)).outcome).toBe('APPLIED');
  expect(await merge(db, a, b)).toMatchObject({ outcome: 'REPLAY', events: [] });
  expect((await merge(db, b, c)).events).toMatchObject([
    { accountId: b, kind: 'merge', amount: -620n, balance: 0n, remaining: 0n },
    { accountId: c, kind: 'merge', amount: 620n, balance: 623n },
  ]);
  expect(await merge(db, a, c)).toMatchObject({ outcome: 'REPLAY', target: c });
  expect(await post(db, deposit(a, 'late:1'))).toMatchObject({ outcome: 'MERGED', target: c, events: [] });
  expect(await post(db, deposit(c, 'late:1'))).toMatchObject({ outcome: 'APPLIED', balance: 1_123n });
  expect(await post(db, deposit(a, 'late:0'))).toMatchObject({ outcome: 'REPLAY', txId: before.txId, balance: 1_123n });
  expect(await post(db, deposit(c, 'late:0'))).toMatchObject({ outcome: 'REPLAY', txId: before.txId });
  expect(await check(db)).toMatchObject({ drift: 0n, violations: [] });
});

test('a key opened for a merged account spends from where it went', async () => {
  const [a, b] = [await newAccount(db), await newAccount(db)];
  await merge(db, a, b);
  const key = await newKey(db, a);
  expect(await db.query({ name: '', text: `select account_id from api_key where id = ${key}` })).toEqual([
    { account_id: b },
  ]);
  await expect(openKey(db, key + 1n, 999_999n)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test.each(['update ledger_entry set amount = amount + 1', 'delete from ledger_entry', 'truncate ledger_entry'])(
  'entries are append-only: %s',
  async (text) => {
    await newAccount(db, 5n);
    const total = { name: '', text: 'select sum(amount) as total, count(*) as entries from ledger_entry' };
    const before = await db.query(total);
    await expect(db.query({ name: '', text })).rejects.toMatchObject({ code: '42501' });
    expect(await db.query(total)).toEqual(before);
  },
);

test('a forged entry breaks the chain where it was forged', async () => {
  const account = await newAccount(db, 5n);
  await post(db, deposit(account, 'forged'));
  expect(await checkChain(db)).toEqual([]);
  await db.script('alter table ledger_entry disable trigger all');
  await db.query({ name: '', text: `update ledger_entry set amount = 6 where id = 'credit:${account}'` });
  await db.script('alter table ledger_entry enable trigger all');
  expect(await checkChain(db)).toEqual([`account ${account}: the chain breaks at entry 1`]);
  await db.script('alter table ledger_entry disable trigger all');
  await db.query({ name: '', text: `update ledger_entry set amount = 5 where id = 'credit:${account}'` });
  await db.script('alter table ledger_entry enable trigger all');
});

test('ids of the ledger itself, and postings of nothing, are refused', async () => {
  const account = await newAccount(db);
  for (const id of ['use:1:1:0', 'merge:1:2', 'a|b', '']) {
    await expect(post(db, deposit(account, id))).rejects.toThrow(RangeError);
  }
  await expect(post(db, deposit(account, 'nothing', 0n))).rejects.toThrow(RangeError);
});
