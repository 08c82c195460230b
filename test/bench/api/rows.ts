import { formatCredits, parseCredits } from '../../../src/units.ts';

/** From rows of the peers' statements (64-bit integers are text) to the GraphQL data that our server answers. */
export interface Windows {
  readonly day_limit: string | null;
  readonly day_used: string;
  readonly week_limit: string | null;
  readonly week_used: string;
  readonly month_limit: string | null;
  readonly month_used: string;
}

export interface ViewerRow {
  readonly balance: string;
  readonly remaining: string;
}

export interface KeyRow extends Windows {
  readonly id: string;
  readonly name: string;
}

export interface LimitedKeyRow extends KeyRow {
  readonly prefix: string;
  readonly created_at: Date;
  readonly last_used_at: Date | null;
}

export interface TransactionRow {
  readonly total_count: string;
  readonly total_amount: string;
  readonly tx_id: string;
  readonly at: Date;
  readonly kind: string;
  readonly contra: string | null;
  readonly amount: string;
  readonly ref: string | null;
  readonly key_id: string | null;
  readonly key_name: string | null;
  readonly product: number | null;
}

export type Amounts = { readonly [Column in `amount_${1 | 2 | 3}`]: string };
export type PeriodRow = Amounts & { readonly label: string; readonly deposits: string };
export type DayRow = PeriodRow & { readonly [Column in `${'up' | 'down'}_${1 | 2 | 3}`]: string };

export const credits = (amount: string): string => formatCredits(BigInt(amount));
const creditsOrNull = (amount: string | null): string | null => (amount === null ? null : credits(amount));

export const viewerOf = ({ balance, remaining }: ViewerRow): object => ({
  user: { balance: credits(balance) },
  remaining: credits(remaining),
});

export const keyOf = (row: KeyRow): object => ({
  databaseId: row.id,
  name: row.name,
  limits: {
    daily: { limit: creditsOrNull(row.day_limit), used: credits(row.day_used) },
    weekly: { limit: creditsOrNull(row.week_limit), used: credits(row.week_used) },
    monthly: { limit: creditsOrNull(row.month_limit), used: credits(row.month_used) },
  },
});

export const typeOf = (kind: string): string => (kind === 'DEPOSIT' || kind === 'CONSUMPTION' ? kind : 'ADJUSTMENT');

export const transactionsOf = (rows: readonly TransactionRow[]): object => ({
  totalCount: Number(rows[0]?.total_count),
  totalAmount: credits(rows[0]?.total_amount ?? '0'),
  edges: rows.map((row) => ({
    node: {
      databaseId: row.tx_id,
      type: typeOf(row.kind),
      amount: credits(row.amount),
      createdAt: row.at.toISOString(),
      apiKey: row.key_id === null ? null : { databaseId: row.key_id, name: row.key_name },
    },
  })),
});

export const total = (row: Amounts): bigint => BigInt(row.amount_1) + BigInt(row.amount_2) + BigInt(row.amount_3);

export const dayOf = (row: DayRow): object => ({
  date: row.label,
  shared: { bytesUp: row.up_1, bytesDown: row.down_1, credits: credits(row.amount_1) },
  dedicated: { bytesUp: row.up_2, bytesDown: row.down_2, credits: credits(row.amount_2) },
  browser: { bytesUp: row.up_3, bytesDown: row.down_3, credits: credits(row.amount_3) },
  credits: formatCredits(total(row)),
  deposits: credits(row.deposits),
});

/** Nano-credits of limits as clients send them. */
export const nanoOf = (limits: readonly (string | number)[]): bigint[] =>
  limits.map((limit) => parseCredits(String(limit)) ?? 0n);

/** A key with the limits that were just set: the columns of M1's row are from before. */
export const withLimits = <Row extends KeyRow>(row: Row, [day, week, month]: readonly bigint[]): Row => ({
  ...row,
  day_limit: String(day),
  week_limit: String(week),
  month_limit: String(month),
});
