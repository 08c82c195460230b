import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { windowStart } from '../../units.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { PERIOD_SUMS, periodOf, type PeriodColumns, type PeriodUsage } from './period.ts';

export interface DayUsage extends PeriodUsage {
  /** ISO 8601 date, UTC. */
  readonly date: string;
}

const BY_DAY = sql(
  'usageByDay',
  `select days.day::date as date, usage.*, coalesce(deposits.amount, 0)::bigint as deposits
   from generate_series($2::date::timestamp, $3::date::timestamp, interval '1 day') days(day)
   left join lateral (
     select ${PERIOD_SUMS} from usage_day
     where account_id = $1 and usage_day.day = days.day::date and ($4::bigint is null or key_id = $4)) usage on true
   left join (
     select (at at time zone 'UTC')::date as day, sum(amount) as amount from ledger_entry
     where account_id = $1 and kind = 'DEPOSIT' and at >= ($2::date)::timestamp at time zone 'UTC'
     group by 1) deposits on deposits.day = days.day::date
   order by days.day`,
);

/**
 * Usage of a user per UTC day, ascending, ending today, in one statement.
 * @param days 1 to 90
 * @throws AppError NOT_FOUND when the key is not one of the user
 */
export async function usageByDay(
  { db, now }: Pick<OperationContext, 'db' | 'now'>,
  userId: bigint,
  days: number,
  keyId: bigint | null,
): Promise<DayUsage[]> {
  await requireOwnKey(db, keyId, userId);
  const last = windowStart('DAY', now());
  const first = new Date(last);
  first.setUTCDate(first.getUTCDate() - (days - 1));
  const values = [userId, isoDate(first), isoDate(last), keyId];
  const rows = await db.query<PeriodColumns & { date: string }>(BY_DAY, values);
  return rows.map((row) => ({ date: row.date, ...periodOf(row) }));
}

function isoDate(at: Date): string {
  return at.toISOString().slice(0, 10);
}
