import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { windowStart } from '../../units.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { OWNERS, WITH_OWNERS } from './owners.ts';
import { PERIOD_COLUMNS, PERIOD_SUMS, periodOf, type PeriodColumns, type PeriodUsage } from './period.ts';

export interface DayUsage extends PeriodUsage {
  /** ISO 8601 date, UTC. */
  readonly date: string;
}

type DayColumns = PeriodColumns & { readonly date: string };

/** $1 account, $2 first day, $3 last day, $4 key. */
const byDay = (name: string, filter: string) =>
  sql(
    name,
    `${WITH_OWNERS} select days.day::date as date, ${PERIOD_COLUMNS}, coalesce(deposits.amount, 0)::bigint as deposits
   from generate_series($2::date::timestamp, $3::date::timestamp, interval '1 day') days(day)
   left join (
     select usage_day.day, ${PERIOD_SUMS} from usage_day
     where account_id = $1 and usage_day.day between $2::date and $3::date${filter}
     group by 1) usage on usage.day = days.day::date
   left join (
     select (at at time zone 'UTC')::date as day, sum(amount) as amount from ledger_entry
     where account_id = any(${OWNERS}) and kind = 'DEPOSIT' and at >= ($2::date)::timestamp at time zone 'UTC'
     group by 1) deposits on deposits.day = days.day::date
   order by days.day`,
  );
const BY_DAY = byDay('usageByDay', '');
const BY_DAY_OF_KEY = byDay('usageByDayOfKey', ' and key_id = $4');

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
  const values = [userId, isoDate(first), isoDate(last)];
  const rows = await (keyId === null
    ? db.query<DayColumns>(BY_DAY, values)
    : db.query<DayColumns>(BY_DAY_OF_KEY, [...values, keyId]));
  return rows.map((row) => periodOf(row, { date: row.date }));
}

function isoDate(at: Date): string {
  return at.toISOString().slice(0, 10);
}
