import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { windowStart } from '../../units.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { PERIOD_SUMS, periodOf, type PeriodColumns, type PeriodUsage } from './period.ts';

export interface HourUsage extends PeriodUsage {
  /** 0 to 23, UTC. */
  readonly hour: number;
  readonly startsAt: Date;
}

const BY_HOUR = sql(
  'usageByHour',
  `select hours.hour as starts_at, usage.*, coalesce(deposits.amount, 0)::bigint as deposits
   from generate_series($2::timestamptz, $2::timestamptz + interval '23 hours', interval '1 hour') hours(hour)
   left join lateral (
     select ${PERIOD_SUMS} from usage_hour
     where account_id = $1 and usage_hour.hour = hours.hour and ($3::bigint is null or key_id = $3)) usage on true
   left join (
     select date_trunc('hour', at, 'UTC') as hour, sum(amount) as amount from ledger_entry
     where account_id = $1 and kind = 'DEPOSIT' and at >= $2::timestamptz
     group by 1) deposits on deposits.hour = hours.hour
   order by hours.hour`,
);

/**
 * Usage of a user in the 24 hours of the current UTC day, in one statement.
 * @throws AppError NOT_FOUND when the key is not one of the user
 */
export async function usageByHour(
  { db, now }: Pick<OperationContext, 'db' | 'now'>,
  userId: bigint,
  keyId: bigint | null,
): Promise<HourUsage[]> {
  await requireOwnKey(db, keyId, userId);
  const values = [userId, windowStart('DAY', now()), keyId];
  const rows = await db.query<PeriodColumns & { starts_at: Date }>(BY_HOUR, values);
  return rows.map((row) => ({ hour: row.starts_at.getUTCHours(), startsAt: row.starts_at, ...periodOf(row) }));
}
