import type { Sql } from '../../database/sql.ts';
import type { KeyColumns } from '../apiKeys/rows.ts';
import {
  transactionsOf,
  type TransactionColumns,
  type TransactionRow,
  type TransactionType,
} from './transactionRows.ts';
import { pageStatement } from './transactionStatements.ts';

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
  /** Bytes, and of keys more than id and name, will not be read. */
  readonly brief?: boolean;
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
  const { olderThan, newerThan, oldestFirst, limit, offset, withTotals, brief = false } = range;
  const statement = pageStatement({
    type,
    subtype: subtypeNumber !== null,
    key: apiKeyId !== null,
    older: olderThan !== null,
    newer: newerThan !== null,
    oldestFirst,
    offset: offset > 0,
    totals: withTotals,
    brief,
  });
  const rows = await db.query<Row>(statement, [
    accountId,
    ...(subtypeNumber === null ? [] : [subtypeNumber]),
    ...(apiKeyId === null ? [] : [apiKeyId]),
    ...(olderThan === null ? [] : bound(olderThan)),
    ...(newerThan === null ? [] : bound(newerThan)),
    limit,
    ...(offset > 0 ? [offset] : []),
  ]);
  const [first] = rows;
  return {
    transactions: first === undefined || first.tx_id === null ? [] : transactionsOf(rows, brief),
    totals: { count: Number(first?.total_count ?? 0n), amount: first?.total_amount ?? 0n },
  };
}

/** Instants travel as ISO text. */
function bound([at, id]: Place): [string, bigint] {
  return [new Date(Number(at)).toISOString(), id];
}
