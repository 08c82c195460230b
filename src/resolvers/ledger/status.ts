import { sql, type Sql } from '../../database/sql.ts';
import { changeResult, type ChangeResult, type ChangeRow, type Subject } from './subject.ts';

const STATUS = sql(
  'ledgerStatus',
  'select outcome, (event).* from ledger_status($1::bigint, $2::bigint, $3::boolean, $4::timestamptz)',
);

/**
 * Suspends (`live` false) or restores an account; revokes or restores a key. Nothing is granted to it
 * any more; what its connections have spent is still settled. Every lease is recalled.
 */
export async function status(db: Sql, subject: Subject, live: boolean, now?: Date): Promise<ChangeResult> {
  const values = [subject.accountId ?? null, subject.keyId ?? null, live, now ?? null];
  return changeResult(await db.query<ChangeRow>(STATUS, values));
}
