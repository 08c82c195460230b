import type { AccountEvent } from '../../events.ts';
import { productOf } from '../../units.ts';

/** A row of `usage_event` as the ledger's functions return it. */
export interface EventRow {
  readonly account_id: bigint;
  readonly seq: bigint;
  readonly at: Date;
  readonly kind: AccountEvent['kind'];
  readonly key_id: bigint | null;
  readonly product: number | null;
  readonly up: bigint;
  readonly down: bigint;
  readonly amount: bigint;
  readonly balance: bigint;
  readonly remaining: bigint;
  readonly key_remaining: bigint | null;
}

/** The same row as it travels to live streams. */
export function accountEvent(row: EventRow): AccountEvent {
  return {
    accountId: row.account_id,
    seq: row.seq,
    at: row.at,
    kind: row.kind,
    keyId: row.key_id,
    product: row.product === null ? null : productOf(row.product),
    up: row.up,
    down: row.down,
    amount: row.amount,
    balance: row.balance,
    remaining: row.remaining,
    keyRemaining: row.key_remaining,
  };
}

/** The columns of an `event` that is null when nothing happened. */
export type MaybeEventRow = EventRow | { readonly [Column in keyof EventRow]: null };

/** The events of the rows that have one. */
export function accountEvents(rows: readonly MaybeEventRow[]): AccountEvent[] {
  return rows.filter((row): row is EventRow => row.account_id !== null).map(accountEvent);
}
