import type { OperationContext } from '../../context.ts';
import { check, checkChain } from '../ledger/check.ts';

export interface LedgerFindings {
  /** Nano-credits; 0 when sound. */
  readonly drift: bigint;
  readonly violations: string[];
}

/** Checks every invariant of the ledger and its hash chains. Reads all of it; for the operator. */
export async function checkLedger({ db }: Pick<OperationContext, 'db'>): Promise<LedgerFindings> {
  const { drift, violations } = await check(db);
  return { drift, violations: [...violations, ...(await checkChain(db))] };
}
