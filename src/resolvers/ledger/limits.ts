import { sql, type Sql } from '../../database/sql.ts';
import { changeResult, type ChangeResult, type ChangeRow, type Subject } from './subject.ts';

/** Nano-credits per window; null = no limit, absent = leave alone. */
export interface Limits {
  readonly day?: bigint | null;
  readonly week?: bigint | null;
  readonly month?: bigint | null;
}

const LIMITS = sql(
  'ledgerLimits',
  `select outcome, (event).* from ledger_limits($1::bigint, $2::bigint, $3::boolean[], $4::bigint[], $5::timestamptz)`,
);

/**
 * Sets spending limits of an account or key. What was used stays used; leases that no longer fit are
 * recalled through the beat of their instance: publish `leasesChanged` to be faster.
 */
export async function limits(db: Sql, subject: Subject, to: Limits, now?: Date): Promise<ChangeResult> {
  const values = [to.day, to.week, to.month];
  return changeResult(
    await db.query<ChangeRow>(LIMITS, [
      subject.accountId ?? null,
      subject.keyId ?? null,
      values.map((value) => value !== undefined),
      values.map((value) => value ?? null),
      now ?? null,
    ]),
  );
}
