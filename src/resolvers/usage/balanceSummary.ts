import type { OperationContext } from '../../context.ts';
import { subtypeOf, type Subtype, type TransactionType } from './transactionRows.ts';
import { SUMMARY } from './transactionStatements.ts';

/** Signed nano-credits. */
interface Total {
  readonly total: bigint;
  readonly count: number;
}

export interface SubtypeTotal extends Total {
  readonly subtype: Subtype;
  readonly subtypeNumber: number;
}

export interface TypeTotal extends Total {
  readonly type: TransactionType;
  readonly subtypes: readonly SubtypeTotal[];
}

interface SummaryRow {
  readonly type: TransactionType;
  readonly subtype_number: number;
  readonly count: bigint;
  readonly total: bigint;
}

const TYPES = ['DEPOSIT', 'CONSUMPTION', 'ADJUSTMENT'] as const;

/** What a balance is made of; the totals add up to it. Types without transactions are absent. */
export async function balanceSummary({ db }: Pick<OperationContext, 'db'>, accountId: bigint): Promise<TypeTotal[]> {
  const rows = await db.query<SummaryRow>(SUMMARY, [accountId]);
  return TYPES.map((type) => summaryOf(type, rows)).filter(({ subtypes }) => subtypes.length > 0);
}

function summaryOf(type: TransactionType, rows: readonly SummaryRow[]): TypeTotal {
  const subtypes = rows
    .filter((row) => row.type === type)
    .map((row) => ({
      subtype: subtypeOf(type, row.subtype_number),
      subtypeNumber: row.subtype_number,
      total: row.total,
      count: Number(row.count),
    }));
  return {
    type,
    total: subtypes.reduce((sum, { total }) => sum + total, 0n),
    count: subtypes.reduce((sum, { count }) => sum + count, 0),
    subtypes,
  };
}
