import { sql, type Sql } from '../../database/sql.ts';

/** One fault that `ledger_check` found. */
export interface Fault {
  /** Number of the invariant, ARCHITECTURE.md, "Ledger". */
  readonly invariant: number;
  readonly subject: string;
  /** Nano-credits (for invariant 6 also numbers) by which it is off. */
  readonly difference: bigint;
}

export interface CheckResult {
  /** Total absolute difference between balances and what entries and open hours say: 0 when all is well. */
  readonly drift: bigint;
  /** One text per violated invariant. */
  readonly violations: readonly string[];
  /**
   * Sums above a limit or the balance (invariant 3). Allowed after an administrative act (limit
   * lowered, reversal, merge), so no violation by themselves; from one look to the next they only fall.
   */
  readonly excesses: readonly Fault[];
}

const CHECK = sql('ledgerCheck', 'select invariant, subject, difference from ledger_check()');
const CHECK_CHAIN = sql('ledgerCheckChain', 'select account_id, no from ledger_check_chain()');
const ABOVE_LIMIT = 3;
const BALANCE = 1;

/** Verifies the ledger from first principles, in one snapshot. Reads everything: for administrators and tests. */
export async function check(db: Sql): Promise<CheckResult> {
  const faults = await db.query<Fault>(CHECK);
  const drift = faults
    .filter(({ invariant }) => invariant === BALANCE)
    .reduce((sum, { difference }) => sum + (difference < 0n ? -difference : difference), 0n);
  const wrong = faults.filter(({ invariant }) => invariant !== ABOVE_LIMIT);
  const invariants = [...new Set(wrong.map(({ invariant }) => invariant))].toSorted((a, b) => a - b);
  return {
    drift,
    violations: invariants.map((invariant) => describe(wrong.filter((fault) => fault.invariant === invariant))),
    excesses: faults.filter(({ invariant }) => invariant === ABOVE_LIMIT),
  };
}

/** The first few of several faults of one invariant. */
const SHOWN = 5;

function describe(faults: readonly Fault[]): string {
  const shown = faults.slice(0, SHOWN).map(({ subject, difference }) => `${subject} off by ${difference}`);
  const more = faults.length > SHOWN ? `, and ${faults.length - SHOWN} more` : '';
  return `invariant ${faults[0]?.invariant}: ${shown.join('; ')}${more}`;
}

/** Recomputes the hash chain of every account. @returns one text per broken link */
export async function checkChain(db: Sql): Promise<string[]> {
  const rows = await db.query<{ account_id: bigint; no: bigint }>(CHECK_CHAIN);
  return rows.map(({ account_id, no }) => `account ${account_id}: the chain breaks at entry ${no}`);
}
