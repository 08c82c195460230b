import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { productOf, type Product } from '../../units.ts';

/** Days that traffic by exit is kept, today included; `src/jobs/forget.ts` deletes older ones. */
export const KEPT_DAYS = 400;
/** Rows of one answer. */
const MAX_ROWS = 1_000;

/** Traffic through one exit on one UTC day. */
export interface ExitUsageRow {
  /** The name that tells nothing of it; `other` where there were too many exits at once. */
  readonly exit: string;
  readonly product: Product;
  /** ISO 8601. */
  readonly day: string;
  readonly bytesUp: bigint;
  readonly bytesDown: bigint;
  /** Opened on that day. */
  readonly connections: bigint;
}

interface Columns {
  readonly exit: string;
  readonly product: number;
  readonly day: string;
  readonly up: bigint;
  readonly down: bigint;
  readonly connections: bigint;
}

/** Sums are of any size (numeric); they come back as bigint. */
const byExit = (name: string, keys: string) =>
  sql(
    name,
    `select u.day, u.product, u.exit, sum(u.up)::bigint as up, sum(u.down)::bigint as down,
       sum(u.connections)::bigint as connections
     from exit_usage u
     where u.key_id ${keys} and u.day > $2::date - $3::int
     group by u.day, u.product, u.exit
     order by u.day desc, sum(u.up + u.down) desc, u.product, u.exit limit ${MAX_ROWS}`,
  );
const OF_KEY = byExit('exitUsageOfKey', '= $1');
// The history of a key goes with it when its account is merged into another.
const OF_USER = byExit('exitUsageOfUser', 'in (select k.id from api_key_profile k where k.user_id = $1)');

/**
 * Traffic of a key, or of all keys of a user, by exit on the last days, the latest day first and the busiest exit first
 * within it, the first 1000; the caller has checked whose it is.
 * @param days 1 to 400
 */
export async function usageByExit(
  { db, now }: Pick<OperationContext, 'db' | 'now'>,
  of: { readonly keyId: bigint } | { readonly userId: bigint },
  days: number,
): Promise<ExitUsageRow[]> {
  const today = now().toISOString().slice(0, 10);
  const rows = await ('keyId' in of
    ? db.query<Columns>(OF_KEY, [of.keyId, today, days])
    : db.query<Columns>(OF_USER, [of.userId, today, days]));
  return rows.map(({ exit, product, day, up, down, connections }) => ({
    exit,
    product: productOf(product),
    day,
    bytesUp: up,
    bytesDown: down,
    connections,
  }));
}

// `now()`, not the clock: what changes from row to row is looked up in no index.
const PRUNE = sql(
  'exitUsagePrune',
  `delete from exit_usage where (key_id, day, product, exit) in (
     select key_id, day, product, exit from exit_usage
     where day < (now() at time zone 'UTC')::date - $1::int
     order by day limit $2 for update skip locked)
   returning 1 as deleted`,
);

/** Deletes traffic of days that are no longer kept, at most `limit` rows. @returns how many */
export async function pruneExitUsage(db: Sql, limit: number): Promise<number> {
  return (await db.query(PRUNE, [KEPT_DAYS - 1, limit])).length;
}
