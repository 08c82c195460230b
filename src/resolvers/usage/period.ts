import { productOf, PRODUCTS } from '../../units.ts';
import type { ProductTotal } from './stream.ts';

/** Consumption per product, and deposits, of a stretch of time. */
export interface PeriodUsage {
  readonly shared: ProductTotal;
  readonly dedicated: ProductTotal;
  readonly browser: ProductTotal;
  /** Nano-credits of the three together. */
  readonly credits: bigint;
  /** Nano-credits. */
  readonly deposits: bigint;
}

type Part = 'up' | 'down' | 'amount';
export type PeriodColumns = { readonly [Column in `${Part}_${1 | 2 | 3}`]: bigint } & { readonly deposits: bigint };

const SUMS = PRODUCTS.flatMap((_product, index) =>
  (['up', 'down', 'amount'] as const).map((part) => ({ part, product: index + 1, column: `${part}_${index + 1}` })),
);

/** For each period with traffic: sums of up, down and amount of each product. */
export const PERIOD_SUMS = SUMS.map(
  ({ part, product, column }) => `coalesce(sum(${part}) filter (where product = ${product}), 0)::bigint as ${column}`,
).join(', ');

/** The same of `usage`, which has no row for a period without traffic: zeros. */
export const PERIOD_COLUMNS = SUMS.map(({ column }) => `coalesce(usage.${column}, 0) as ${column}`).join(', ');

/** Adds the sums to what labels the period; a spread would cost every row up to twice as much. */
export function periodOf<Label extends object>(row: PeriodColumns, label: Label): Label & PeriodUsage {
  const product = (number: 1 | 2 | 3): ProductTotal => ({
    product: productOf(number),
    bytesUp: row[`up_${number}`],
    bytesDown: row[`down_${number}`],
    credits: row[`amount_${number}`],
  });
  return Object.assign(label, {
    shared: product(1),
    dedicated: product(2),
    browser: product(3),
    credits: row.amount_1 + row.amount_2 + row.amount_3,
    deposits: row.deposits,
  });
}
