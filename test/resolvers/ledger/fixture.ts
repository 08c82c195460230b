import { randomUUID } from 'node:crypto';

import { sql, type Sql } from '../../../src/database/sql.ts';
import type { Limits } from '../../../src/resolvers/ledger/limits.ts';
import { openAccount, openInstance, openKey } from '../../../src/resolvers/ledger/open.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import type { TickAnswer, TickResult } from '../../../src/resolvers/ledger/types.ts';
import { hourStart, type Product } from '../../../src/units.ts';

const INSERT_USER = sql('testInsertUser', 'insert into users (plan) values ($1) returning id');
const INSERT_KEY = sql(
  'testInsertKey',
  `insert into api_key_profile (user_id, name, prefix) values ($1, 'test', 'lpf_test') returning id`,
);

/** A user with an account, and credit in it. */
export async function newAccount(db: Sql, credit = 0n, now?: Date): Promise<bigint> {
  const [user] = await db.query<{ id: bigint }>(INSERT_USER, ['FREE']);
  const id = user!.id;
  await openAccount(db, id);
  if (credit > 0n) {
    await post(db, { id: `credit:${id}`, accountId: id, kind: 'DEPOSIT', contra: 'CUSTODY', amount: credit }, now);
  }
  return id;
}

/** An API key of the account. */
export async function newKey(db: Sql, accountId: bigint, limits: Limits = {}): Promise<bigint> {
  const [key] = await db.query<{ id: bigint }>(INSERT_KEY, [accountId]);
  await openKey(db, key!.id, accountId, limits);
  return key!.id;
}

export async function newInstance(db: Sql, now?: Date): Promise<string> {
  const id = randomUUID();
  await openInstance(db, id, now);
  return id;
}

/** One settlement of one lease. */
export interface Settlement {
  readonly keyId: bigint;
  readonly seq: bigint;
  readonly want: bigint;
  /** Bytes from target to client. */
  readonly down?: bigint;
  readonly product?: Product;
  readonly hour?: Date;
}

/** Ticks one lease. */
export async function settle(
  db: Sql,
  instanceId: string,
  { keyId, seq, want, down = 0n, product = 'SHARED', hour }: Settlement,
  now: Date,
): Promise<TickResult & { readonly answer: TickAnswer }> {
  const lines = down === 0n ? [] : [{ keyId, product, hour: hour ?? hourStart(now), up: 0n, down }];
  const result = await tick(db, instanceId, [{ keyId, seq, want }], lines, now);
  return { ...result, answer: result.answers[0]! };
}
