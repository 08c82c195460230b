import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { check } from '../../../src/resolvers/ledger/check.ts';
import { reset } from '../../../src/resolvers/ledger/reset.ts';
import { close } from '../../../src/resolvers/ledger/upkeep.ts';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { newAccount, newInstance, newKey, settle } from './fixture.ts';

const USED = sql(
  'testUsed',
  `select day_used as day, week_used as week, month_used as month, day_base, reserved from api_key where id = $1`,
);

let db: TestDatabase;
beforeAll(async () => void (db = await openTestDatabase()));
afterAll(() => db.close());

const crossings = [
  { name: 'midnight', before: '2026-04-15T23:59:59Z', after: '2026-04-16T00:00:01Z', used: [300n, 600n, 600n] },
  { name: 'Monday', before: '2026-04-19T23:59:59Z', after: '2026-04-20T00:00:01Z', used: [300n, 300n, 600n] },
  { name: 'the 1st', before: '2026-03-31T23:59:59Z', after: '2026-04-01T00:00:01Z', used: [300n, 600n, 300n] },
  { name: 'all three', before: '2026-05-31T23:59:59Z', after: '2026-06-01T00:00:01Z', used: [300n, 300n, 300n] },
] as const;

test.each(crossings)('$name comes with a lease out: a byte counts where it flowed', async ({ before, after, used }) => {
  const [late, early] = [new Date(before), new Date(after)];
  const account = await newAccount(db, 1_000_000n, late);
  const key = await newKey(db, account, { day: 1_000n, week: 2_000n, month: 3_000n });
  const instance = await newInstance(db, late);
  const first = await settle(db, instance, { keyId: key, seq: 1n, want: 5_000n }, late);
  expect(first.answer).toMatchObject({ granted: 1_000n, reason: 'KEY_DAY' });

  // 100 bytes of before are settled after; the lease still fits, and the windows have restarted.
  const second = await settle(db, instance, { keyId: key, seq: 2n, want: 700n, down: 100n, hour: late }, early);
  expect(second.answer).toMatchObject({ outcome: 'APPLIED', spent: 300n, granted: 1_000n });
  const third = await settle(db, instance, { keyId: key, seq: 3n, want: 5_000n, down: 100n }, early);
  expect(third.answer).toMatchObject({ spent: 600n, granted: 1_300n, reason: 'KEY_DAY' });
  const [row] = await db.query<Record<string, bigint>>(USED, [key]);
  expect([row?.['day'], row?.['week'], row?.['month']]).toEqual(used);
  expect(await check(db)).toMatchObject({ drift: 0n, violations: [], excesses: [] });
});

test('a manual reset forgives what was used; reservations stay', async () => {
  const now = new Date('2026-04-15T12:00:00Z');
  const key = await newKey(db, await newAccount(db, 1_000_000n, now), { day: 1_000n });
  const instance = await newInstance(db, now);
  await settle(db, instance, { keyId: key, seq: 1n, want: 1_000n }, now);
  await settle(db, instance, { keyId: key, seq: 2n, want: 400n, down: 200n }, now);
  const result = await reset(db, { keyId: key }, 'DAY', now);
  expect(result.events).toMatchObject([{ kind: 'limit', keyId: key, amount: 0n, keyRemaining: 1_000n }]);
  expect(await db.query(USED, [key])).toEqual([{ day: 0n, week: 600n, month: 600n, day_base: 600n, reserved: 400n }]);
  expect((await check(db)).violations).toEqual([]);
  expect(await reset(db, { keyId: 999_999n }, 'DAY', now)).toEqual({ outcome: 'UNKNOWN', events: [] });
});

test('a late byte of a closed hour, and one of an hour to come, count in the current hour', async () => {
  const now = new Date('2026-04-15T12:30:00Z');
  const key = await newKey(db, await newAccount(db, 1_000_000n, now));
  const instance = await newInstance(db, now);
  await settle(db, instance, { keyId: key, seq: 1n, want: 30_000n }, now);
  const old = new Date('2026-04-15T09:00:00Z');
  await settle(db, instance, { keyId: key, seq: 2n, want: 30_000n, down: 10n, hour: old }, now);
  expect(await close(db, now)).toBeGreaterThan(0);
  await settle(db, instance, { keyId: key, seq: 3n, want: 30_000n, down: 5n, hour: old }, now);
  const next = new Date('2026-04-15T13:00:00Z');
  await settle(db, instance, { keyId: key, seq: 4n, want: 30_000n, down: 7n, hour: next }, now);
  const hours = await db.query({
    name: '',
    text: `select hour, down from usage_hour where key_id = ${key} order by 1`,
  });
  expect(hours).toEqual([
    { hour: old, down: 10n },
    { hour: new Date('2026-04-15T12:00:00Z'), down: 12n },
  ]);
  expect((await check(db)).violations).toEqual([]);
});
