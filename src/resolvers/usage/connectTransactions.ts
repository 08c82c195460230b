import type { OperationContext } from '../../context.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { connect, type Connection, type PageArgs } from '../connection.ts';
import { readTransactions, type Totals, type TransactionFilter } from './readTransactions.ts';
import type { TransactionRow } from './transactionRows.ts';

export interface TransactionConnection extends Connection<TransactionRow> {
  /** Of all that match; zeros unless asked for. */
  readonly totals: Totals;
}

/**
 * Transactions of a user, newest first, page by page, in one statement.
 * @throws AppError NOT_FOUND when the key is not one of the user; BAD_INPUT, see `connect`
 */
export async function connectTransactions(
  { db }: Pick<OperationContext, 'db'>,
  userId: bigint,
  args: PageArgs,
  {
    withTotals,
    brief = false,
    ...filter
  }: TransactionFilter & { readonly withTotals: boolean; readonly brief?: boolean },
): Promise<TransactionConnection> {
  await requireOwnKey(db, filter.apiKeyId, userId);
  let totals: Totals = { count: 0, amount: 0n };
  const page = await connect<TransactionRow>(
    args,
    ({ createdAt, id }) => [BigInt(createdAt.getTime()), id],
    async ({ after, before, limit, backward }) => {
      const range = { olderThan: after, newerThan: before, limit, offset: 0, oldestFirst: backward, withTotals, brief };
      const read = await readTransactions(db, userId, filter, range);
      totals = read.totals;
      return read.transactions;
    },
  );
  return { ...page, totals };
}
