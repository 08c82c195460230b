import { formatCredits, parseCredits } from '../../../src/units.ts';

/** From rows of the peers' statements (64-bit integers are text) to the bodies that our server answers. */
interface Windows {
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

export interface AccountOrKeyRow extends Windows {
  readonly id: string | null;
  readonly name: string | null;
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

type Amounts = { readonly [Column in `amount_${1 | 2 | 3}`]: string };
export type PeriodRow = Amounts & { readonly label: string; readonly deposits: string };
export type DayRow = PeriodRow & { readonly [Column in `${'up' | 'down'}_${1 | 2 | 3}`]: string };

const credits = (amount: string): string => formatCredits(BigInt(amount));
const creditsOrNull = (amount: string | null): string | null => (amount === null ? null : credits(amount));
const number = (amount: string): number => Number(credits(amount));
const numberOrNull = (amount: string | null): number | null => (amount === null ? null : number(amount));

export const viewerOf = ({ balance, remaining }: ViewerRow): object => ({
  user: { balance: credits(balance) },
  remaining: credits(remaining),
});

/** Of the answer to M1, that is a key whose columns are from before, with the new limits. */
export const keyOf = (row: KeyRow): object => ({
  databaseId: row.id,
  name: row.name,
  limits: {
    daily: { limit: creditsOrNull(row.day_limit), used: credits(row.day_used) },
    weekly: { limit: creditsOrNull(row.week_limit), used: credits(row.week_used) },
    monthly: { limit: creditsOrNull(row.month_limit), used: credits(row.month_used) },
  },
});

const typeOf = (kind: string): string => (kind === 'DEPOSIT' || kind === 'CONSUMPTION' ? kind : 'ADJUSTMENT');

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

const total = (row: Amounts): bigint => BigInt(row.amount_1) + BigInt(row.amount_2) + BigInt(row.amount_3);

export const dayOf = (row: DayRow): object => ({
  date: row.label,
  shared: { bytesUp: row.up_1, bytesDown: row.down_1, credits: credits(row.amount_1) },
  dedicated: { bytesUp: row.up_2, bytesDown: row.down_2, credits: credits(row.amount_2) },
  browser: { bytesUp: row.up_3, bytesDown: row.down_3, credits: credits(row.amount_3) },
  credits: formatCredits(total(row)),
  deposits: credits(row.deposits),
});

const left = (limit: string | null, used: string): number | null => {
  if (limit === null) return null;
  const rest = BigInt(limit) - BigInt(used);
  return Number(formatCredits(rest < 0n ? 0n : rest));
};

const restWindows = (row: Windows): object => ({
  limits: {
    daily: numberOrNull(row.day_limit),
    weekly: numberOrNull(row.week_limit),
    monthly: numberOrNull(row.month_limit),
  },
  used: { daily: number(row.day_used), weekly: number(row.week_used), monthly: number(row.month_used) },
  remaining: {
    daily: left(row.day_limit, row.day_used),
    weekly: left(row.week_limit, row.week_used),
    monthly: left(row.month_limit, row.month_used),
  },
});

export const restRemainingOf = (row: ViewerRow): object => ({ remaining: number(row.remaining) });

export const restUsageOf = ([account, ...keys]: readonly AccountOrKeyRow[]): object => ({
  global: account === undefined ? null : restWindows(account),
  keys: keys.map((row) => ({ id: Number(row.id), name: row.name, ...restWindows(row) })),
});

const SUBTYPES: Readonly<Record<string, readonly [number: number, label: string]>> = {
  1: [1, 'Mutualisé'],
  2: [2, 'Dédié'],
  3: [3, 'Navigateur'],
  DEPOSIT: [1, 'USDT'],
  ADJUSTMENT: [2, 'Crédit de bienvenue'],
};

const seconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

function restTransactionOf(row: TransactionRow): object {
  const [subtype, label] = SUBTYPES[row.product ?? row.kind] ?? [0, ''];
  const [currency = null, chain = '0', hash = null] = row.kind === 'DEPOSIT' ? (row.ref?.split(':') ?? []) : [];
  return {
    id: Number(row.tx_id),
    type: typeOf(row.kind).toLowerCase(),
    subtype,
    subtype_label: label,
    amount: number(row.amount),
    api_key_id: row.key_id === null ? null : Number(row.key_id),
    api_key_name: row.key_name,
    tx_hash: hash,
    status: 'confirmed',
    confirmations: 0,
    currency,
    chain_id: Number(chain),
    created_at: seconds(row.at),
  };
}

export const restTransactionsOf = (rows: readonly TransactionRow[]): object => ({
  transactions: rows.map(restTransactionOf),
  total: Number(rows[0]?.total_count),
  page: 1,
  limit: 50,
});

const restPeriodOf = (row: PeriodRow): object => ({
  mutualise: number(row.amount_1),
  dedie: number(row.amount_2),
  navigateur: number(row.amount_3),
  total: Number(formatCredits(total(row))),
  deposits: number(row.deposits),
});

const DAYS = 30;

export const restDaysOf = (rows: readonly PeriodRow[]): object => ({
  daily: Object.fromEntries(rows.slice(0, DAYS).map((row) => [row.label, restPeriodOf(row)])),
  hourly: rows.slice(DAYS).map((row) => ({ ...restPeriodOf(row), hour: Number(row.label) })),
});

export const restKeyOf = (row: LimitedKeyRow): object => ({
  success: true,
  key: {
    id: Number(row.id),
    name: row.name,
    key_preview: `${row.prefix}...`,
    active: 1,
    daily_limit: numberOrNull(row.day_limit),
    weekly_limit: numberOrNull(row.week_limit),
    monthly_limit: numberOrNull(row.month_limit),
    created_at: seconds(row.created_at),
    last_used_at: row.last_used_at === null ? null : seconds(row.last_used_at),
  },
});

/** Nano-credits of limits as clients send them. */
export const nanoOf = (limits: readonly (string | number)[]): bigint[] =>
  limits.map((limit) => parseCredits(String(limit)) ?? 0n);

/** A key with the limits that were just set. */
export const withLimits = <Row extends KeyRow>(row: Row, [day, week, month]: readonly bigint[]): Row => ({
  ...row,
  day_limit: String(day),
  week_limit: String(week),
  month_limit: String(month),
});
