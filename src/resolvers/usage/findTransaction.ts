import type { Sql } from '../../database/sql.ts';
import type { KeyColumns } from '../apiKeys/rows.ts';
import { transactionsOf, type TransactionColumns, type TransactionRow } from './transactionRows.ts';
import { BY_ID } from './transactionStatements.ts';

/** A transaction of an account; null when it is unknown or of another account. */
export async function findTransaction(of: {
  readonly db: Sql;
  readonly accountId: bigint;
  readonly id: bigint;
}): Promise<TransactionRow | null> {
  const rows = await of.db.query<TransactionColumns & KeyColumns>(BY_ID, [of.accountId, of.id]);
  // Leads its key, being the only row.
  return transactionsOf(rows, false)[0] ?? null;
}
