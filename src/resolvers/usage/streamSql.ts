import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { productOf } from '../../units.ts';
import { leastLeft, meterColumns, remainingCredit, type Meter, type MeterRow } from '../accounts/windows.ts';
import type { ProductTotal, UsageSnapshot } from './stream.ts';
import { allProducts } from './streamEvents.ts';

/**
 * One statement, hence one snapshot of the database: number, balance, windows and totals agree.
 * Totals come from the daily roll-up, which settling writes in the same transaction.
 */
const SNAPSHOT = sql(
  'usageSnapshot',
  `select clock_timestamp() as now, a.seq, a.balance, ${meterColumns('a', 'account_')}, ${meterColumns('k', 'key_')},
     t.product, t.up, t.down, t.amount
   from account a
   left join api_key k on k.id = $2 and k.account_id = a.id
   left join lateral (
     select d.product, sum(d.up)::bigint as up, sum(d.down)::bigint as down, sum(d.amount)::bigint as amount
     from usage_day d where d.account_id = a.id and ($2::bigint is null or d.key_id = $2) group by d.product
   ) t on true
   where a.id = $1 and a.status <> 2`,
);

const POSITION = sql(
  'usagePosition',
  'select clock_timestamp() as now, seq, pruned_seq as "prunedSeq" from account where id = $1 and status <> 2',
);

const MERGED = sql('usageMerged', 'select 1 from account where id = $1 and status = 2');

const KEY_METER = sql(
  'usageKeyMeter',
  `select clock_timestamp() as now, ${meterColumns('k', 'key_')} from api_key k where k.id = $1`,
);

interface SnapshotRow extends MeterRow<'account_'>, MeterRow<'key_'> {
  readonly now: Date;
  readonly seq: bigint;
  readonly balance: bigint;
  readonly product: number | null;
  readonly up: bigint | null;
  readonly down: bigint | null;
  readonly amount: bigint | null;
}

/** Where a stream is in its account. */
export interface Position {
  readonly now: Date;
  readonly seq: bigint;
  readonly prunedSeq: bigint;
}

/** Whether the account is part of another. */
export async function isMerged(db: Sql, accountId: bigint): Promise<boolean> {
  return (await db.query(MERGED, [accountId])).length > 0;
}

/** @throws AppError NOT_FOUND when the account does not exist, or is part of another */
export async function readPosition(db: Sql, accountId: bigint): Promise<Position> {
  const [row] = await db.query<Position>(POSITION, [accountId]);
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}

/**
 * @param keyId narrows totals and `remaining` to one key of the account; null: the whole account
 * @throws AppError NOT_FOUND when the account does not exist, or is part of another
 */
export async function readSnapshot(db: Sql, accountId: bigint, keyId: bigint | null): Promise<UsageSnapshot> {
  const rows = await db.query<SnapshotRow>(SNAPSHOT, [accountId, keyId]);
  const [row] = rows;
  if (row === undefined) throw new AppError('NOT_FOUND');
  const meters = keyId === null ? [accountMeter(row)] : [accountMeter(row), keyMeter(row)];
  return {
    __typename: 'UsageSnapshot',
    seq: row.seq,
    at: row.now,
    balance: row.balance,
    remaining: remainingCredit(row.balance, meters, row.now),
    totals: allProducts(rows.flatMap(total)),
  };
}

/** Least left of the key's windows now; null when it has no limit. */
export async function readKeyLeft(db: Sql, keyId: bigint): Promise<bigint | null> {
  const [row] = await db.query<MeterRow<'key_'> & { now: Date }>(KEY_METER, [keyId]);
  return row === undefined ? null : leastLeft(keyMeter(row), row.now);
}

function total({ product, up, down, amount }: SnapshotRow): ProductTotal[] {
  if (product === null) return [];
  return [{ product: productOf(product), bytesUp: up ?? 0n, bytesDown: down ?? 0n, credits: amount ?? 0n }];
}

function accountMeter(row: MeterRow<'account_'>): Meter {
  return {
    dayLimit: row.account_day_limit,
    dayStart: row.account_day_start,
    dayUsed: row.account_day_used,
    weekLimit: row.account_week_limit,
    weekStart: row.account_week_start,
    weekUsed: row.account_week_used,
    monthLimit: row.account_month_limit,
    monthStart: row.account_month_start,
    monthUsed: row.account_month_used,
  };
}

function keyMeter(row: MeterRow<'key_'>): Meter {
  return {
    dayLimit: row.key_day_limit,
    dayStart: row.key_day_start,
    dayUsed: row.key_day_used,
    weekLimit: row.key_week_limit,
    weekStart: row.key_week_start,
    weekUsed: row.key_week_used,
    monthLimit: row.key_month_limit,
    monthStart: row.key_month_start,
    monthUsed: row.key_month_used,
  };
}
