import type { OperationContext } from '../../context.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { MAX_PAGE } from '../connection.ts';
import { readTransactions, type TransactionFilter } from './readTransactions.ts';
import type { TransactionRow } from './transactionRows.ts';

/** Highest page number; keeps the offset within a 32-bit integer. */
export const MAX_PAGE_NUMBER = 1_000_000;

export interface TransactionPageRow {
  readonly transactions: TransactionRow[];
  readonly total: number;
  readonly page: number;
  readonly limit: number;
}

/**
 * Transactions of a user by page number, newest first. Page and limit are clamped.
 * @throws AppError NOT_FOUND when the key is not one of the user
 */
export async function pageTransactions(
  { db }: Pick<OperationContext, 'db'>,
  userId: bigint,
  request: TransactionFilter & { readonly page: number; readonly limit: number; readonly brief?: boolean },
): Promise<TransactionPageRow> {
  await requireOwnKey(db, request.apiKeyId, userId);
  const page = Math.min(Math.max(request.page, 1), MAX_PAGE_NUMBER);
  const limit = Math.min(Math.max(request.limit, 1), MAX_PAGE);
  const { transactions, totals } = await readTransactions(db, userId, request, {
    olderThan: null,
    newerThan: null,
    limit,
    offset: (page - 1) * limit,
    oldestFirst: false,
    withTotals: true,
    brief: request.brief ?? false,
  });
  return { transactions, total: totals.count, page, limit };
}
