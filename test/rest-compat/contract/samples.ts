import path from 'node:path';

import { deriveKeys } from '../../../src/crypto.ts';
import { openDatabase, type Database } from '../../../src/database/open.ts';
import { sql, type Sql } from '../../../src/database/sql.ts';
import { insertAccount } from '../../../src/resolvers/accounts/insertAccount.ts';
import { insertApiKey } from '../../../src/resolvers/apiKeys/insertApiKey.ts';
import { hashPassword } from '../../../src/resolvers/auth/password.ts';
import { limits, type Limits } from '../../../src/resolvers/ledger/limits.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { reset } from '../../../src/resolvers/ledger/reset.ts';
import { NANO, PRICE_PER_BYTE, type Product } from '../../../src/units.ts';
import { spend } from '../../harness/context.ts';
import { ADMIN, build, TEST_MASTER_KEY } from '../../harness/server.ts';

/** Keys of accounts in the states that the samples of the reference show. */
export const SAMPLES = {
  /** `GET /keys/:id/reveal` shows this very key; account and key have the number 1. */
  prod: 'lpf_1f0553c89d4138e8cc59bd46965f22d0',
  /** One payment of 50 by card; 42.5 remain of the key's day. */
  card: `lpf_${'ca4d'.repeat(8)}`,
  /** 12.5 used today, 45 this week, 120 this month, of 100 a day. */
  windows: `lpf_${'d417'.repeat(8)}`,
  /** Today 5.1 shared, 1 dedicated, 50 deposited: no whole number of bytes costs the sample's 5.2 at 3 each. */
  today: `lpf_${'70da'.repeat(8)}`,
  /** Buys at the grid `Premium`. */
  premium: `lpf_${'9e31'.repeat(8)}`,
} as const;

const ROOT = path.join(import.meta.dirname, '../../..');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SAMPLE_DATE = new Date('2026-03-28T12:00:00Z');

/** Puts the samples' accounts into a data folder that no server has opened yet, with the operator's. */
export async function seedSamples(dataDir: string): Promise<void> {
  await build();
  const database = await openDatabase({
    url: undefined,
    dataDir,
    migrations: path.join(ROOT, 'prisma/migrations'),
    template: path.join(ROOT, 'dist/prisma/template'),
    onError: (error) => {
      throw error;
    },
  });
  try {
    await seed(database, new Date());
  } finally {
    await database.close();
  }
}

async function seed(db: Database, now: Date): Promise<void> {
  const passwordHash = await hashPassword(ADMIN.password);
  const open = async (name: string, secret: string, keyLimits: Limits = {}): Promise<Account> => {
    const keys = deriveKeys(Buffer.from(TEST_MASTER_KEY, 'base64'));
    const isAdmin = secret === ADMIN.apiKey;
    const email = isAdmin ? ADMIN.email : `${name}@example.com`;
    const person = { email, username: null, passwordHash, role: isAdmin ? 'ADMIN' : 'USER' } as const;
    return db.transaction(async (tx) => {
      const userId = await insertAccount(tx, person);
      const { id } = await insertApiKey(tx, keys, { userId, name: 'Prod', secret, limits: keyLimits });
      return { userId, keyId: id };
    });
  };
  const user = await open('user', SAMPLES.prod);
  const card = await open('card', SAMPLES.card, { day: 42_500_000_000n });
  const windows = await open('windows', SAMPLES.windows);
  const today = await open('today', SAMPLES.today);
  const premium = await open('premium', SAMPLES.premium);
  await open('admin', ADMIN.apiKey);
  // The sample's transaction has the number 1.
  await paidByCard(db, card);
  await paidAndSpent(db, user, new Date(now.getTime() - 3 * DAY_MS));
  await usedInWindows(db, windows, now);
  await usedToday(db, today, now);
  await buysAtPremium(db, premium);
  await db.query(DATES, [SAMPLE_DATE]);
}

interface Account {
  readonly userId: bigint;
  readonly keyId: bigint;
}

const DATES = sql('testSampleDates', 'update api_key_profile set created_at = $1::timestamptz');
const PERMIT = sql('testSamplePermit', `update users set permissions = array['app.testnet'] where id = $1`);

/** 3 deposits of 200 together; 10 hours of shared traffic for 45 and 2 of dedicated for 5: 150 are left. */
async function paidAndSpent(db: Sql, { userId, keyId }: Account, before: Date): Promise<void> {
  await db.query(PERMIT, [userId]);
  const start = new Date(before).setUTCHours(1, 30);
  for (const [index, amount] of [100n, 60n, 40n].entries()) {
    const ref = `usdt:137:0x${String(index + 1).repeat(64)}`;
    const deposit = { id: `usdt-${index}`, accountId: userId, kind: 'DEPOSIT', contra: 'CUSTODY', ref } as const;
    await post(db, { ...deposit, amount: amount * NANO }, new Date(start - HOUR_MS));
  }
  for (let hour = 0; hour < 12; hour += 1) {
    const [product, nano]: [Product, bigint] = hour < 10 ? ['SHARED', 4_500_000_000n] : ['DEDICATED', 2_500_000_000n];
    await use(db, keyId, { product, nano }, new Date(start + hour * HOUR_MS));
  }
}

async function paidByCard(db: Sql, { userId }: Account): Promise<void> {
  const deposit = {
    id: 'card',
    accountId: userId,
    kind: 'DEPOSIT',
    contra: 'CARD',
    ref: 'stripe:0:pi_abc123',
  } as const;
  await post(db, { ...deposit, amount: 50n * NANO }, SAMPLE_DATE);
}

/** What was used before this week and before today is what resets forgive, whatever day it is. */
async function usedInWindows(db: Sql, account: Account, now: Date): Promise<void> {
  const { userId, keyId } = account;
  const credit = { id: 'windows', accountId: userId, kind: 'ADJUSTMENT', contra: 'PROMO' } as const;
  await post(db, { ...credit, amount: 1_000n * NANO }, now);
  const forgive = async (window: 'DAY' | 'WEEK'): Promise<void> => {
    await reset(db, { accountId: userId }, window, now);
    await reset(db, { keyId }, window, now);
  };
  await use(db, keyId, { product: 'DEDICATED', nano: 75n * NANO }, now);
  await forgive('WEEK');
  await use(db, keyId, { product: 'DEDICATED', nano: 32_500_000_000n }, now);
  await forgive('DAY');
  await use(db, keyId, { product: 'DEDICATED', nano: 12_500_000_000n }, now);
  await limits(db, { accountId: userId }, { day: 100n * NANO }, now);
}

async function usedToday(db: Sql, { userId, keyId }: Account, now: Date): Promise<void> {
  const deposit = {
    id: 'today',
    accountId: userId,
    kind: 'DEPOSIT',
    contra: 'CUSTODY',
    ref: 'usdt:137:0xfeed',
  } as const;
  await post(db, { ...deposit, amount: 50n * NANO }, now);
  await use(db, keyId, { product: 'SHARED', nano: 5_100_000_000n }, now);
  await use(db, keyId, { product: 'DEDICATED', nano: NANO }, now);
}

const ASSIGN = sql(
  'testSampleAssign',
  `update users set grid_id = (select id from price_grid where name = 'Premium') where id = $1`,
);

/** The largest purchase so far was of 500 credits. */
async function buysAtPremium(db: Sql, { userId }: Account): Promise<void> {
  await db.query(ASSIGN, [userId]);
  const deposit = {
    id: 'premium',
    accountId: userId,
    kind: 'DEPOSIT',
    contra: 'CUSTODY',
    ref: 'usdt:1:0xbeef',
  } as const;
  await post(db, { ...deposit, amount: 500n * NANO }, SAMPLE_DATE);
}

/** Traffic of one hour that costs so many nano-credits. @throws when no whole number of bytes does */
async function use(db: Sql, keyId: bigint, cost: { product: Product; nano: bigint }, at: Date): Promise<void> {
  const down = cost.nano / PRICE_PER_BYTE[cost.product];
  if (down * PRICE_PER_BYTE[cost.product] !== cost.nano) throw new RangeError(`no bytes cost ${cost.nano}`);
  await spend({ db: db as Database }, keyId, { product: cost.product, up: 0n, down, at });
}

/** How long before a new UTC day the samples of today would be yesterday's when they are read. */
const TOO_LATE_MS = 90_000;

/** Waits for midnight (UTC) when it is close: figures of today must still be today's when they are compared. */
export async function awayFromMidnight(now = Date.now()): Promise<void> {
  const left = DAY_MS - (now % DAY_MS);
  if (left < TOO_LATE_MS) await new Promise((resolve) => setTimeout(resolve, left + 1));
}
