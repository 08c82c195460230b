import { sql, type Sql } from '../../database/sql.ts';
import type { AccountEvent } from '../../events.ts';
import { accountEvents, type MaybeEventRow } from './eventRow.ts';

export interface MergeResult {
  /** REPLAY: merged before. MERGED: one of the two already went into `target`. */
  readonly outcome: 'APPLIED' | 'REPLAY' | 'MERGED' | 'UNKNOWN_ACCOUNT';
  readonly target: bigint | null;
  /** One for each of the two streams. Publish after commit. */
  readonly events: readonly AccountEvent[];
}

const MERGE = sql(
  'ledgerMerge',
  'select outcome, target, (event).* from ledger_merge($1::bigint, $2::bigint, $3::timestamptz)',
);

type MergeRow = MaybeEventRow & { readonly outcome: MergeResult['outcome']; readonly target: bigint | null };

/**
 * Moves keys, leases, open hours and credit of account `from` into `into`; `from` stays, empty, and points there.
 * Profile rows (`api_key_profile.user_id`) are the caller's, in the same transaction.
 * @throws DatabaseError 40001 when a key was added meanwhile: retry
 * @throws DatabaseError 22023 for an account merged into itself
 */
export async function merge(db: Sql, from: bigint, into: bigint, now?: Date): Promise<MergeResult> {
  const rows = await db.query<MergeRow>(MERGE, [from, into, now ?? null]);
  const [row] = rows;
  if (row === undefined) throw new Error('ledger_merge returned no row');
  return { outcome: row.outcome, target: row.target, events: accountEvents(rows) };
}
