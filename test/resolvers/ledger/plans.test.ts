import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql, type Sql } from '../../../src/database/sql.ts';
import { check } from '../../../src/resolvers/ledger/check.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import { openTestDatabase, type TestDatabase } from '../../harness/database.ts';
import { newInstance } from './fixture.ts';

const NOW = new Date('2026-04-15T12:30:00Z');
const KEYS = 1_000;
/**
 * A settlement looks at about 15 rows by index. A plan that reads whole tables once per meter, as one
 * made for empty tables would, reads a thousand.
 */
const MOST_ROWS_PER_METER = 30;

/** Without `users`: what loading read there to check foreign keys is reported late, among the rows of a settlement. */
const ROWS_READ = sql(
  'testRowsRead',
  `select coalesce(sum(seq_tup_read), 0)::int as scanned, coalesce(sum(idx_tup_fetch), 0)::int as fetched
   from pg_stat_xact_user_tables where relname <> 'users'`,
);

let db: TestDatabase;
beforeAll(async () => void (db = await openTestDatabase()));
afterAll(() => db.close());

/** Two keys per account, with credit. */
async function load(): Promise<bigint[]> {
  await db.script(`
    insert into users (plan) select 'FREE' from generate_series(1, ${KEYS / 2});
    insert into account (id) select id from users;
    select ledger_post('load:' || id, id, 'DEPOSIT', 'CARD', 1000000000, null, false, null) from users;
    insert into api_key_profile (user_id, name, prefix) select id, 'k', 'p' from users, generate_series(1, 2);
    insert into api_key (id, account_id) select id, user_id from api_key_profile;`);
  const rows = await db.query<{ id: bigint }>({ name: '', text: 'select id from api_key order by id' });
  return rows.map(({ id }) => id);
}

/** Rows that one settlement of these keys reads, per key. */
async function rowsPerMeter(tx: Sql, instance: string, keys: readonly bigint[], seq: bigint): Promise<number> {
  const lines = keys.map((keyId) => ({ keyId, product: 'SHARED' as const, hour: NOW, up: 5n, down: 5n }));
  const requests = keys.map((keyId) => ({ keyId, seq, want: 3_000n }));
  const [before] = await tx.query<{ scanned: number; fetched: number }>(ROWS_READ);
  const { answers } = await tick(tx, instance, requests, seq === 1n ? [] : lines, NOW);
  const [after] = await tx.query<{ scanned: number; fetched: number }>(ROWS_READ);
  expect(answers.every(({ outcome }) => outcome === 'APPLIED')).toBe(true);
  return (after!.scanned - before!.scanned + after!.fetched - before!.fetched) / keys.length;
}

test('plans made for empty tables do not outlive them', async () => {
  await db.script('analyze');
  const instance = await newInstance(db, NOW);
  // The plans of the empty tables: of few rows and of many, as often as it takes to keep one.
  for (let i = 0; i < 8; i += 1) {
    for (const size of [1, 19, 20]) {
      const requests = Array.from({ length: size }, (_, index) => ({ keyId: BigInt(index + 1), seq: 1n, want: 1n }));
      await tick(db, instance, requests, [], NOW);
    }
  }
  const keys = await load();
  await db.transaction(async (tx) => {
    for (let seq = 1n; seq <= 3n; seq += 1n) {
      for (let start = 0; start < keys.length; start += 500) {
        const rows = await rowsPerMeter(tx, instance, keys.slice(start, start + 500), seq);

        expect(rows).toBeLessThan(MOST_ROWS_PER_METER);
      }
    }
    for (const [index, size] of [1, 5, 19, 20, 200].entries()) {
      const rows = await rowsPerMeter(tx, instance, keys.slice(index * 150, index * 150 + size), 4n);
      expect(rows).toBeGreaterThan(0);
      expect(rows).toBeLessThan(MOST_ROWS_PER_METER);
    }
  });
  expect((await check(db)).violations).toEqual([]);
});
