import { createHash } from 'node:crypto';
import path from 'node:path';

import pg from 'pg';

import { deriveKeys, lookupHash } from '../../../src/crypto.ts';
import { openDatabase } from '../../../src/database/open.ts';
import type { Caller } from './work.ts';

/** Of the design study: 1,000 accounts, 10,000 keys, 3.6 million usage hours of 90 days. */
const FULL_ACCOUNTS = 1_000;
const KEYS_PER_ACCOUNT = 10;
const DAYS = 90;
const HOURS_PER_DAY = 4;
const PREFIX_LENGTH = 8;

/** Fills an empty database with `scale` × 1,000 accounts that the ledger's own check finds sound. @returns a key of each */
export async function seed(
  url: string,
  masterKey: string,
  scale: number,
): Promise<{ callers: Caller[]; about: string }> {
  const migrations = path.join(import.meta.dirname, '../../../prisma/migrations');
  await (await openDatabase({ url, dataDir: '', migrations, onError: () => undefined })).close();
  const accounts = Math.max(1, Math.round(FULL_ACCOUNTS * scale));
  const secrets = Array.from({ length: accounts * KEYS_PER_ACCOUNT }, (_, index) => secretOf(index + 1));
  const keys = deriveKeys(Buffer.from(masterKey, 'base64'));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set synchronous_commit = off; set work_mem = '64MB'; set timezone = 'UTC'`);
    await client.query(CUSTOMERS, [accounts, KEYS_PER_ACCOUNT, secrets.map((text) => text.slice(0, PREFIX_LENGTH))]);
    await client.query(SECRETS, [secrets.map((text) => lookupHash(keys, text))]);
    await client.query(HOURS, [DAYS, HOURS_PER_DAY]);
    for (const statement of LEDGER) await client.query(statement);
    const { rows } = await client.query<{ hours: string; entries: string }>(COUNT);
    const about = `${accounts} accounts, ${secrets.length} keys, ${rows[0]?.hours} usage hours of ${DAYS} days, ${rows[0]?.entries} ledger entries`;
    return { callers: callersOf(secrets), about };
  } finally {
    await client.end();
  }
}

function secretOf(keyId: number): string {
  return `lpf_${createHash('sha256').update(`bench key ${keyId}`).digest('hex').slice(0, 32)}`;
}

/** The first key of every account. */
function callersOf(secrets: readonly string[]): Caller[] {
  return secrets
    .map((secret, index) => ({ secret, keyId: index + 1 }))
    .filter(({ keyId }) => keyId % KEYS_PER_ACCOUNT === 1);
}

/** $1 accounts, $2 keys each, $3 prefixes. Every third key and every second account is unlimited. */
const CUSTOMERS = `with
  new_users as (insert into users (id, email, email_verified)
    select id, 'customer-' || id || '@example.com', true from generate_series(1, $1::bigint) id returning id),
  new_accounts as (insert into account (id, month_limit)
    select id, case when id % 2 = 0 then 1000000000000000 end from new_users returning id),
  new_profiles as (insert into api_key_profile (id, user_id, name, prefix)
    select id, (id - 1) / $2::bigint + 1, 'key ' || id, prefix
    from unnest($3::text[]) with ordinality t (prefix, id) returning id, user_id)
  insert into api_key (id, account_id, day_limit, week_limit, month_limit)
  select id, user_id, case when id % 3 > 0 then 50000000000000 end, case when id % 3 > 1 then 200000000000000 end,
    case when id % 3 > 0 then 500000000000000 end from new_profiles`;

const SECRETS = `insert into api_key_secret (lookup, key_id)
  select lookup, id from unnest($1::bytea[]) with ordinality t (lookup, id)`;

/** Hours that are over, oldest first. $1 days, $2 hours per day. */
const HOURS = `insert into usage_hour
    (key_id, product, hour, tx_id, account_id, up, down, amount, archived, closed)
  select key_id, product, hour, nextval('transaction_id'), account_id, up, down, amount, amount, true
  from (select k.id as key_id, k.account_id, product, hour, size / 10 as up, size as down,
      (size / 10 + size) * product_price(product) as amount
    from generate_series($1::int - 1, 0, -1) ago
    cross join generate_series(0, $2::int - 1) part
    cross join api_key k
    cross join lateral (select 1 + ((k.id + part) % 3)::int as product,
      date_trunc('day', now(), 'UTC') - make_interval(days => ago) + make_interval(hours => part * (24 / $2::int)) as hour,
      1000000 + (k.id * 7919 + ago * 104729 + part * 1299709) % 50000000 as size) u
    where hour < date_trunc('hour', now(), 'UTC')
    order by hour, k.id) t`;

const WINDOW = (table: string, column: string): string =>
  ['day', 'week', 'month']
    .map(
      (name) => `update ${table} t set ${name}_used = u.amount, ${name}_start = date_trunc('${name}', now(), 'UTC')
      from (select ${column} as id, sum(amount) as amount from usage_hour
        where hour >= date_trunc('${name}', now(), 'UTC') group by 1) u where u.id = t.id`,
    )
    .join(';');

/** Entries (consumption of every hour, 20 deposits, welcome credit) with their hash chains, and all that sums them. */
const LEDGER = [
  `create temp table entry as
    select account_id, 'use:' || tx_id as id, tx_id, 'CONSUMPTION' as kind, 'REVENUE' as contra, -amount as amount,
      hour + interval '1 hour' as at, null::text as ref from usage_hour
    union all
    select a.id, 'deposit:' || a.id || ':' || n, nextval('transaction_id'), 'DEPOSIT', 'CUSTODY', 2000000000000,
      date_trunc('day', now(), 'UTC') - make_interval(days => n * 4, hours => 7), 'usdt:1:0x' || md5(a.id || ':' || n)
    from account a cross join generate_series(1, 20) n
    union all
    select id, 'welcome:' || id, nextval('transaction_id'), 'ADJUSTMENT', 'PROMO', 10000000000,
      date_trunc('day', now(), 'UTC') - interval '100 days', 'welcome credit' from account`,
  `create temp table numbered as
    select *, row_number() over (partition by account_id order by at, tx_id) as no from entry`,
  `create aggregate pg_temp.chain (text, bigint, bigint, text, text, bigint, timestamptz, text)
    (sfunc = ledger_hash, stype = bytea, initcond = '')`,
  `insert into ledger_entry (account_id, no, id, tx_id, kind, contra, amount, balance_after, at, ref, prev, hash)
    select account_id, no, id, tx_id, kind, contra, amount, balance, at, ref, lag(hash, 1, ''::bytea) over w, hash
    from (select *, sum(amount) over c as balance,
        pg_temp.chain(id, account_id, no, kind, contra, amount, at, ref) over c as hash
      from numbered window c as (partition by account_id order by no rows unbounded preceding)) t
    window w as (partition by account_id order by no)`,
  `insert into usage_day (key_id, day, product, account_id, up, down, amount)
    select key_id, (hour at time zone 'UTC')::date, product, account_id, sum(up), sum(down), sum(amount)
    from usage_hour group by 1, 2, 3, 4`,
  `update account a set balance = e.balance_after, entry_no = e.no, head = e.hash
    from (select distinct on (account_id) * from ledger_entry order by account_id, no desc) e
    where e.account_id = a.id`,
  WINDOW('account', 'account_id'),
  WINDOW('api_key', 'key_id'),
  'vacuum analyze',
];

const COUNT = `select (select count(*) from usage_hour) as hours, (select count(*) from ledger_entry) as entries`;
