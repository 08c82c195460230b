import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { windowStart } from '../../units.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { OWNERS, WITH_OWNERS } from './owners.ts';
import { PERIOD_COLUMNS, PERIOD_SUMS, periodOf, type PeriodColumns, type PeriodUsage } from './period.ts';

export interface HourUsage extends PeriodUsage {
  /** 0 to 23, UTC. */
  readonly hour: number;
  readonly startsAt: Date;
}

type HourColumns = PeriodColumns & { readonly starts_at: Date };

/** $1 account, $2 start of the day, $3 key. */
const byHour = (name: string, filter: string) =>
  sql(
    name,
    `${WITH_OWNERS} select hours.hour as starts_at, ${PERIOD_COLUMNS}, coalesce(deposits.amount, 0)::bigint as deposits
   from generate_series($2::timestamptz, $2::timestamptz + interval '23 hours', interval '1 hour') hours(hour)
   left join (
     select usage_hour.hour, ${PERIOD_SUMS} from usage_hour
     where account_id = any(${OWNERS}) and usage_hour.hour >= $2::timestamptz
       and usage_hour.hour < $2::timestamptz + interval '24 hours'${filter}
     group by 1) usage on usage.hour = hours.hour
   left join (
     select date_trunc('hour', at, 'UTC') as hour, sum(amount) as amount from ledger_entry
     where account_id = any(${OWNERS}) and kind = 'DEPOSIT' and at >= $2::timestamptz
     group by 1) deposits on deposits.hour = hours.hour
   order by hours.hour`,
  );
const BY_HOUR = byHour('usageByHour', '');
const BY_HOUR_OF_KEY = byHour('usageByHourOfKey', ' and key_id = $3');

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
  const values = [userId, windowStart('DAY', now())];
  const rows = await (keyId === null
    ? db.query<HourColumns>(BY_HOUR, values)
    : db.query<HourColumns>(BY_HOUR_OF_KEY, [...values, keyId]));
  return rows.map((row) => periodOf(row, { hour: row.starts_at.getUTCHours(), startsAt: row.starts_at }));
}
