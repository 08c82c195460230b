import { sql, type Sql } from '../../database/sql.ts';
import type { AccountEvent } from '../../events.ts';
import { accountEvents, type MaybeEventRow } from './eventRow.ts';

/** A movement of credit between an account and the house. */
export interface Posting {
  /** Made by the caller, unique over all accounts: what makes a retry harmless. No `|`; not `use:` or `merge:`. */
  readonly id: string;
  readonly accountId: bigint;
  readonly kind: 'DEPOSIT' | 'ADJUSTMENT' | 'REVERSAL';
  readonly contra: 'CUSTODY' | 'CARD' | 'PROMO' | 'ADJUST';
  /** Signed nano-credits, not 0. */
  readonly amount: bigint;
  /** Free text kept with the entry, under its hash. */
  readonly ref?: string;
  /**
   * true: refuse (INSUFFICIENT) rather than take what is not there; credit lent to running traffic
   * counts as not there, and is recalled. false: the balance may end below zero (a reversal).
   */
  readonly floor?: boolean;
}

export interface PostResult {
  /** REPLAY: posted before, nothing changed. MISMATCH: the id is taken by another posting. MERGED: post to `target`. */
  readonly outcome: 'APPLIED' | 'REPLAY' | 'MISMATCH' | 'MERGED' | 'INSUFFICIENT' | 'UNKNOWN_ACCOUNT';
  /** Balance of now; null with MERGED and UNKNOWN_ACCOUNT. */
  readonly balance: bigint | null;
  /** The live account, when `accountId` has been merged. */
  readonly target: bigint | null;
  /** Public transaction id; null unless APPLIED, REPLAY or MISMATCH with an entry found. */
  readonly txId: bigint | null;
  /** Publish after commit. */
  readonly events: readonly AccountEvent[];
}

const POST = sql(
  'ledgerPost',
  `select outcome, balance as new_balance, target, tx_id, (event).*
   from ledger_post($1, $2::bigint, $3, $4, $5::bigint, $6, $7::boolean, $8::timestamptz)`,
);
/** Ids that the ledger makes itself. */
const RESERVED_ID = /\||^(use|merge):|^$/;

type PostRow = MaybeEventRow & {
  readonly outcome: PostResult['outcome'];
  readonly new_balance: bigint | null;
  readonly target: bigint | null;
  readonly tx_id: bigint | null;
};

/**
 * Posts a deposit, adjustment or reversal exactly once per id.
 * @throws RangeError for a reserved id or an amount of 0
 */
export async function post(db: Sql, posting: Posting, now?: Date): Promise<PostResult> {
  const { id, accountId, kind, contra, amount, ref = null, floor = false } = posting;
  if (RESERVED_ID.test(id)) throw new RangeError(`not an id for a posting: ${JSON.stringify(id)}`);
  if (amount === 0n) throw new RangeError('a posting moves something');
  const rows = await db.query<PostRow>(POST, [id, accountId, kind, contra, amount, ref, floor, now ?? null]);
  const [row] = rows;
  if (row === undefined) throw new Error('ledger_post returned no row');
  return {
    outcome: row.outcome,
    balance: row.new_balance,
    target: row.target,
    txId: row.tx_id,
    events: accountEvents(rows),
  };
}
