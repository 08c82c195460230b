import type { AccountEvent } from '../../events.ts';
import { accountEvents, type MaybeEventRow } from './eventRow.ts';

/** An account as such, or one of its keys. */
export type Subject =
  | { readonly accountId: bigint; readonly keyId?: undefined }
  | { readonly keyId: bigint; readonly accountId?: undefined };

export interface ChangeResult {
  /** UNKNOWN: no such account or key, or the account has been merged. */
  readonly outcome: 'APPLIED' | 'UNKNOWN';
  /** Publish after commit. */
  readonly events: readonly AccountEvent[];
}

export type ChangeRow = MaybeEventRow & { readonly outcome: ChangeResult['outcome'] };

/** Reads the one row that limits, status and reset return. */
export function changeResult(rows: readonly ChangeRow[]): ChangeResult {
  const [row] = rows;
  if (row === undefined) throw new Error('the ledger returned no row');
  return { outcome: row.outcome, events: accountEvents(rows) };
}
