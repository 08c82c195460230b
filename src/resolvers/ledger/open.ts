import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import type { Limits } from './limits.ts';

const OPEN_INSTANCE = sql('ledgerOpenInstance', 'select ledger_open_instance($1::uuid, $2::timestamptz)');
const OPEN_ACCOUNT = sql('ledgerOpenAccount', 'select ledger_open_account($1::bigint)');
const OPEN_KEY = sql(
  'ledgerOpenKey',
  'select ledger_open_key($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint) as account_id',
);

/** Registers one start of one server process, under a new UUID. Embedded: call `expire(db, 0)` first. */
export async function openInstance(db: Sql, instanceId: string, now?: Date): Promise<void> {
  await db.query(OPEN_INSTANCE, [instanceId, now ?? null]);
}

/** Creates the account of a user, with nothing in it. In the transaction that creates the user. */
export async function openAccount(db: Sql, accountId: bigint): Promise<void> {
  await db.query(OPEN_ACCOUNT, [accountId]);
}

/**
 * Creates the counters of an API key. In the transaction that creates its profile.
 * @param limits nano-credits per window; absent or null = none
 * @returns the account the key spends from: another than asked for when that one has been merged
 * @throws AppError NOT_FOUND when the account does not exist
 */
export async function openKey(db: Sql, keyId: bigint, accountId: bigint, limits: Limits = {}): Promise<bigint> {
  const [row] = await db.query<{ account_id: bigint | null }>(OPEN_KEY, [
    keyId,
    accountId,
    limits.day ?? null,
    limits.week ?? null,
    limits.month ?? null,
  ]);
  const owner = row?.account_id ?? null;
  if (owner === null) throw new AppError('NOT_FOUND');
  return owner;
}
