// Settlements per second of the ledger: `npx tsx test/bench/ledger.ts`. Embedded always; with
// DATABASE_URL also that PostgreSQL server. One connection, two keys per account.
import os from 'node:os';

import { beat } from '../../src/resolvers/ledger/beat.ts';
import { check } from '../../src/resolvers/ledger/check.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { hourStart } from '../../src/units.ts';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { newInstance } from '../resolvers/ledger/fixture.ts';

const KEYS = 4_000;
const BATCHES = [1, 10, 200, 1_000];
/** One sample ends after so many settlements or calls. */
const SAMPLE_METERS = 2_000;
const SAMPLE_CALLS = 100;
const SAMPLES = 7;

async function load(db: TestDatabase): Promise<bigint[]> {
  await db.script(`
    insert into users (plan) select 'FREE' from generate_series(1, ${KEYS / 2});
    select ledger_open_account(id) from users;
    select ledger_post('bench:' || id, id, 'DEPOSIT', 'CARD', 1000000000000, null, false, null) from users;
    insert into api_key_profile (user_id, name, prefix) select id, 'k', 'p' from users, generate_series(1, 2);
    insert into api_key (id, account_id) select id, user_id from api_key_profile;
    analyze;`);
  return (await db.query<{ id: bigint }>({ name: '', text: 'select id from api_key order by id' })).map(({ id }) => id);
}

/** Settles and renews: every meter has flowed since its last settlement. */
async function settle(
  db: TestDatabase,
  instance: string,
  keys: readonly bigint[],
  seqs: Map<bigint, bigint>,
): Promise<void> {
  const hour = hourStart(new Date());
  const requests = keys.map((keyId) => ({ keyId, seq: (seqs.get(keyId) ?? 0n) + 1n, want: 300_000n }));
  const flowed = requests.filter(({ seq }) => seq > 1n);
  const lines = flowed.map(({ keyId }) => ({ keyId, product: 'SHARED' as const, hour, up: 1_000n, down: 20_000n }));
  const { answers } = await tick(db, instance, requests, lines);
  for (const { keyId, seq, outcome } of answers) {
    if (outcome !== 'APPLIED') throw new Error(`${outcome} for key ${keyId}`);
    seqs.set(keyId, seq);
  }
}

async function sample(run: (start: number) => Promise<void>, batch: number): Promise<number> {
  const calls = Math.min(SAMPLE_CALLS, Math.ceil(SAMPLE_METERS / batch));
  const began = performance.now();
  for (let call = 0; call < calls; call += 1) await run((call * batch) % KEYS);
  return (calls * batch * 1_000) / (performance.now() - began);
}

async function bench(): Promise<void> {
  await using db = await openTestDatabase();
  const keys = await load(db);
  const instance = await newInstance(db);
  const seqs = new Map<bigint, bigint>();
  for (let start = 0; start < KEYS; start += 1_000) await settle(db, instance, keys.slice(start, start + 1_000), seqs);
  console.log(`\n${db.kind} database, ${KEYS} keys, ${SAMPLES} samples: settlements per second, median (least - most)`);
  for (const batch of BATCHES) {
    const rates: number[] = [];
    for (let i = 0; i < SAMPLES; i += 1) {
      rates.push(await sample((start) => settle(db, instance, keys.slice(start, start + batch), seqs), batch));
      await db.script('vacuum account, api_key, lease, usage_hour, usage_day');
    }
    const [least, median, most] = spread(rates);
    const each = 1_000_000 / median;
    console.log(
      `${batch} per call: ${Math.round(median)} (${Math.round(least)} - ${Math.round(most)}), ${Math.round(each)} µs each`,
    );
  }
  await beat(db, instance);
  const { drift, violations } = await check(db);
  console.log(`drift ${drift}, violations ${violations.length}`);
}

function spread(rates: readonly number[]): [least: number, median: number, most: number] {
  const sorted = rates.toSorted((a, b) => a - b);
  return [sorted[0] ?? 0, sorted[Math.floor(sorted.length / 2)] ?? 0, sorted.at(-1) ?? 0];
}

const [cpu] = os.cpus();
const [load1 = 0] = os.loadavg();
console.log(`${cpu?.model}, ${os.cpus().length} cores, load ${load1.toFixed(1)}, Node ${process.version}`);
const server = process.env['DATABASE_URL'];
delete process.env['DATABASE_URL'];
await bench();
if (server !== undefined) {
  process.env['DATABASE_URL'] = server;
  await bench();
}
