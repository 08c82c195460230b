import { afterAll, beforeAll, expect, test } from 'vitest';

import { beat } from '../../../src/resolvers/ledger/beat.ts';
import { check, checkChain } from '../../../src/resolvers/ledger/check.ts';
import { limits } from '../../../src/resolvers/ledger/limits.ts';
import { status } from '../../../src/resolvers/ledger/status.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import { close, expire, prune } from '../../../src/resolvers/ledger/upkeep.ts';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { newAccount, newInstance, newKey, settle } from './fixture.ts';

const NOON = new Date('2026-03-10T12:00:00Z');
const later = (ms: number): Date => new Date(NOON.getTime() + ms);

let db: TestDatabase;
beforeAll(async () => void (db = await openTestDatabase()));
afterAll(() => db.close());

test('a lease is granted, spent, billed and given back', async () => {
  const account = await newAccount(db, 3_000_000n, NOON);
  const key = await newKey(db, account);
  const instance = await newInstance(db, NOON);

  const first = await settle(db, instance, { keyId: key, seq: 1n, want: 600_000n }, NOON);
  expect(first.answer).toMatchObject({
    outcome: 'APPLIED',
    granted: 600_000n,
    spent: 0n,
    reason: null,
    left: 2_400_000n,
  });
  expect(first.events).toEqual([]);

  const second = await settle(db, instance, { keyId: key, seq: 2n, want: 0n, down: 100_000n }, later(250));
  expect(second.answer).toMatchObject({ granted: 300_000n, spent: 300_000n, left: 2_700_000n });
  expect(second.events).toEqual([
    {
      accountId: account, seq: 2n, at: later(250), kind: 'usage', keyId: key, product: 'SHARED', up: 0n,
      down: 100_000n, amount: -300_000n, balance: 2_700_000n, remaining: 2_700_000n, keyRemaining: null,
    },
  ]); // prettier-ignore
  expect(await check(db)).toEqual({ drift: 0n, violations: [], excesses: [] });
});

test('a replay changes nothing, a gap and an overdraft are refused', async () => {
  const key = await newKey(db, await newAccount(db, 3_000_000n, NOON));
  const instance = await newInstance(db, NOON);
  await settle(db, instance, { keyId: key, seq: 1n, want: 600_000n }, NOON);
  const replay = await settle(db, instance, { keyId: key, seq: 1n, want: 0n, down: 1_000n }, NOON);
  expect(replay.answer).toMatchObject({ outcome: 'REPLAY', granted: 600_000n, spent: 0n, seq: 1n });
  const gap = await settle(db, instance, { keyId: key, seq: 3n, want: 0n }, NOON);
  expect(gap.answer).toMatchObject({ outcome: 'REFUSED', granted: 600_000n, seq: 1n });
  const overdraft = await settle(db, instance, { keyId: key, seq: 2n, want: 0n, down: 200_001n }, NOON);
  expect(overdraft.answer).toMatchObject({ outcome: 'REFUSED', granted: 600_000n, spent: 0n });
  const unknown = await settle(db, instance, { keyId: 999_999n, seq: 1n, want: 1n }, NOON);
  expect(unknown.answer).toMatchObject({ outcome: 'UNKNOWN_KEY', granted: 0n });
  expect((await check(db)).violations).toEqual([]);
});

test('chunks shrink, the last credit is contended and recalled, and comes back', async () => {
  const account = await newAccount(db, 1_000_000n, NOON);
  const [one, two] = [await newKey(db, account), await newKey(db, account)];
  const [here, there] = [await newInstance(db, NOON), await newInstance(db, NOON)];
  const first = await settle(db, here, { keyId: one, seq: 1n, want: 9_000_000n }, NOON);
  expect(first.answer).toMatchObject({ granted: 250_000n, reason: 'SHARE', contended: false, left: 750_000n });
  for (let seq = 2n; seq < 20n; seq += 1n) await settle(db, here, { keyId: one, seq, want: 9_000_000n }, NOON);

  const empty = await settle(db, there, { keyId: two, seq: 1n, want: 1_000n }, NOON);
  expect(empty.answer).toMatchObject({ granted: 0n, reason: 'BALANCE', contended: true, left: 0n });
  expect((await beat(db, here, NOON)).recalled).toEqual([one]);
  await settle(db, here, { keyId: one, seq: 20n, want: 10n }, NOON);
  const given = await settle(db, there, { keyId: two, seq: 2n, want: 1_000n }, NOON);
  expect(given.answer).toMatchObject({ granted: 1_000n, reason: null });
  expect((await beat(db, here, later(2_001))).recalled).toEqual([one]);
  expect((await beat(db, here, later(2_002))).recalled).toEqual([]);
});

test('windows of key and account limit what is lent, each by its name', async () => {
  const account = await newAccount(db, 1_000_000n, NOON);
  const key = await newKey(db, account, { week: 3_000n });
  const instance = await newInstance(db, NOON);
  const narrow = await settle(db, instance, { keyId: key, seq: 1n, want: 4_000n }, NOON);
  expect(narrow.answer).toMatchObject({ granted: 3_000n, reason: 'KEY_WEEK', contended: false });
  await limits(db, { accountId: account }, { month: 1_500n }, NOON);
  expect((await beat(db, instance, NOON)).recalled).toEqual([key]);
  const used = await settle(db, instance, { keyId: key, seq: 2n, want: 4_000n, down: 500n }, NOON);
  expect(used.answer).toMatchObject({ spent: 1_500n, granted: 3_000n, reason: 'ACCOUNT_MONTH', left: -1_500n });
  expect(used.events[0]).toMatchObject({ remaining: 0n, keyRemaining: 1_500n });

  await status(db, { keyId: key }, false, NOON);
  const revoked = await settle(db, instance, { keyId: key, seq: 3n, want: 0n }, NOON);
  expect(revoked.answer).toMatchObject({ reason: 'KEY_REVOKED' });
  await status(db, { keyId: key }, true, NOON);
  await status(db, { accountId: account }, false, NOON);
  const suspended = await settle(db, instance, { keyId: key, seq: 4n, want: 5n }, NOON);
  expect(suspended.answer).toMatchObject({ reason: 'ACCOUNT_SUSPENDED', granted: 1_500n });
});

test('keys of one account in one batch share what it has, and many rows answer as few do', async () => {
  const account = await newAccount(db, 100_000n, NOON);
  const keys = await Promise.all(Array.from({ length: 30 }, () => newKey(db, account)));
  const instance = await newInstance(db, NOON);
  const result = await tick(db, instance, keys.map((keyId) => ({ keyId, seq: 1n, want: 80_000n })), [], NOON); // prettier-ignore
  const lent = result.answers.reduce((sum, { granted }) => sum + granted, 0n);
  expect(lent).toBe(100_000n);
  expect(result.answers.filter(({ granted }) => granted === 0n).every(({ contended }) => contended)).toBe(true);
  expect((await check(db)).violations).toEqual([]);
});

test('a dead instance is fenced: its credit returns, what it had not settled is not billed', async () => {
  const account = await newAccount(db, 1_000_000n, NOON);
  const key = await newKey(db, account);
  const instance = await newInstance(db, NOON);
  await settle(db, instance, { keyId: key, seq: 1n, want: 90_000n }, NOON);
  await beat(db, instance, later(1_000));
  const others = await expire(db, 15_000, later(15_999));
  expect(others.some(({ instanceId }) => instanceId === instance)).toBe(false);
  expect(await expire(db, 15_000, later(16_000))).toEqual([{ instanceId: instance, leases: 1n, lost: 90_000n }]);
  const late = await tick(db, instance, [{ keyId: key, seq: 2n, want: 0n }], [], later(16_001));
  expect(late).toMatchObject({ fenced: true, answers: [], events: [] });
  expect((await beat(db, instance, later(16_001))).fenced).toBe(true);
  expect(await check(db)).toMatchObject({ drift: 0n, violations: [] });
});

test('an hour closes once nobody can add to it, keeps its transaction id, and events are pruned', async () => {
  const key = await newKey(db, await newAccount(db, 1_000_000n, NOON));
  const instance = await newInstance(db, NOON);
  await settle(db, instance, { keyId: key, seq: 1n, want: 90_000n }, NOON);
  await settle(db, instance, { keyId: key, seq: 2n, want: 60_000n, down: 10_000n }, NOON);
  const hour = { name: '', text: `select tx_id, closed from usage_hour where key_id = ${key}` };
  const [open] = await db.query<{ tx_id: bigint; closed: boolean }>(hour);
  await close(db, later(7_200_000));
  expect(await db.query(hour)).toEqual([{ tx_id: open!.tx_id, closed: false }]);
  await settle(db, instance, { keyId: key, seq: 3n, want: 60_000n }, later(3_600_000));
  await close(db, later(7_200_000));
  expect(await db.query(hour)).toEqual([{ tx_id: open!.tx_id, closed: true }]);
  expect(await prune(db, later(7_200_000))).toBeGreaterThan(0);
  expect(await prune(db, later(7_200_000))).toBe(0);
  expect((await db.query({ name: '', text: 'select count(*)::int as n from usage_event' }))[0]).toEqual({ n: 0 });
  expect(await check(db)).toMatchObject({ drift: 0n, violations: [] });
  expect(await checkChain(db)).toEqual([]);
});
