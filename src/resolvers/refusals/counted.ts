import { sql } from '../../database/sql.ts';
import { CATALOGUE, type RefusalCode } from '../../errors.ts';
import type { CountedRefusals } from '../../events.ts';
import { productOf } from '../../units.ts';

/** $1 accounts, $2 milliseconds since the last refusal at most, $3 rows: those that grew last. */
export const RECENT_REFUSALS = sql(
  'refusalsRecent',
  `select k.user_id as account_id, r.key_id, r.code, r.day, r.count as total, 0::bigint as added, r.first_at, r.last_at,
     r.message, r.product, r.address
   from api_key_profile k
   join refusal_day r on r.key_id = k.id and r.day >= (clock_timestamp() at time zone 'UTC')::date - 1
   where k.user_id = any($1::bigint[]) and r.last_at > clock_timestamp() - $2::bigint * interval '1 millisecond'
   order by r.last_at desc limit $3`,
);

/** A count that has grown. */
export interface RefusalsRow {
  readonly account_id: bigint;
  readonly key_id: bigint;
  readonly code: RefusalCode;
  readonly day: string;
  readonly total: bigint;
  readonly added: bigint;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly message: string | null;
  readonly product: number | null;
  readonly address: string | null;
}

export function refusalsOf(row: RefusalsRow): CountedRefusals {
  const { code, day, total } = row;
  return {
    ...{ accountId: row.account_id, keyId: row.key_id, code, day, total, count: row.added },
    ...{ firstAt: row.first_at, at: row.last_at },
    message: row.message ?? CATALOGUE[code].message,
    product: row.product === null ? null : productOf(row.product),
    clientAddress: row.address,
  };
}
