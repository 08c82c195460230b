import { sql, type Sql } from '../../database/sql.ts';
import type { Window } from '../../units.ts';
import { changeResult, type ChangeResult, type ChangeRow, type Subject } from './subject.ts';

const RESET = sql(
  'ledgerReset',
  'select outcome, (event).* from ledger_reset($1::bigint, $2::bigint, $3, $4::timestamptz)',
);

/** Forgives what was used in the current window. The balance does not change. */
export async function reset(db: Sql, subject: Subject, window: Window, now?: Date): Promise<ChangeResult> {
  const values = [subject.accountId ?? null, subject.keyId ?? null, window, now ?? null];
  return changeResult(await db.query<ChangeRow>(RESET, values));
}
