import type { Sql } from '../../database/sql.ts';
import type { KeyColumns } from '../apiKeys/rows.ts';
import {
  transactionsOf,
  type TransactionColumns,
  type TransactionRow,
  type TransactionType,
} from './transactionRows.ts';
import { NEWEST, NEWEST_WITH_TOTALS, OLDEST, OLDEST_WITH_TOTALS } from './transactionStatements.ts';

export interface TransactionFilter {
  readonly type: TransactionType | null;
  readonly subtypeNumber?: number | null;
  readonly apiKeyId: bigint | null;
}

/** Place in the list: milliseconds since 1970, and id. */
export type Place = readonly [bigint, bigint];

export interface TransactionRange {
  /** Strictly older than this place. */
  readonly olderThan: Place | null;
  /** Strictly newer than this place. */
  readonly newerThan: Place | null;
  readonly limit: number;
  readonly offset: number;
  readonly oldestFirst: boolean;
  readonly withTotals: boolean;
}

export interface Totals {
  readonly count: number;
  /** Signed nano-credits. */
  readonly amount: bigint;
}

type Row = TransactionColumns &
  KeyColumns & { readonly total_count?: bigint | undefined; readonly total_amount?: bigint | undefined };

/** One page of transactions, and on demand the totals of all that match, in one statement. */
export async function readTransactions(
  db: Sql,
  accountId: bigint,
  { type, subtypeNumber = null, apiKeyId }: TransactionFilter,
  range: TransactionRange,
): Promise<{ transactions: TransactionRow[]; totals: Totals }> {
  const [newest, oldest] = range.withTotals ? [NEWEST_WITH_TOTALS, OLDEST_WITH_TOTALS] : [NEWEST, OLDEST];
  const rows = await db.query<Row>(range.oldestFirst ? oldest : newest, [
    accountId,
    type,
    subtypeNumber,
    apiKeyId,
    ...(range.olderThan === null ? ['infinity', 0] : bound(range.olderThan)),
    ...(range.newerThan === null ? ['-infinity', 0] : bound(range.newerThan)),
    range.limit,
    range.offset,
  ]);
  const [first] = rows;
  return {
    transactions: transactionsOf(rows.filter((row) => row.tx_id !== null)),
    totals: { count: Number(first?.total_count ?? 0n), amount: first?.total_amount ?? 0n },
  };
}

/** Instants travel as ISO text beside `infinity`. */
function bound([at, id]: Place): [string, bigint] {
  return [new Date(Number(at)).toISOString(), id];
}
