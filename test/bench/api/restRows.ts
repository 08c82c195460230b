import { formatCredits } from '../../../src/units.ts';
import {
  credits,
  total,
  typeOf,
  type LimitedKeyRow,
  type PeriodRow,
  type TransactionRow,
  type ViewerRow,
  type Windows,
} from './rows.ts';

/** From rows of the bare handler's statements to the bodies of the `lpf` dialect. */
export interface AccountOrKeyRow extends Windows {
  readonly id: string | null;
  readonly name: string | null;
}

const number = (amount: string): number => Number(credits(amount));
const numberOrNull = (amount: string | null): number | null => (amount === null ? null : number(amount));

const left = (limit: string | null, used: string): number | null => {
  if (limit === null) return null;
  const rest = BigInt(limit) - BigInt(used);
  return Number(formatCredits(rest < 0n ? 0n : rest));
};

const windowsOf = (row: Windows): object => ({
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

export const remainingOf = (row: ViewerRow): object => ({ remaining: number(row.remaining) });

export const usageOf = ([account, ...keys]: readonly AccountOrKeyRow[]): object => ({
  global: account === undefined ? null : windowsOf(account),
  keys: keys.map((row) => ({ id: Number(row.id), name: row.name, ...windowsOf(row) })),
});

const SUBTYPES: Readonly<Record<string, readonly [number: number, label: string]>> = {
  1: [1, 'Mutualisé'],
  2: [2, 'Dédié'],
  3: [3, 'Navigateur'],
  DEPOSIT: [1, 'USDT'],
  ADJUSTMENT: [2, 'Crédit de bienvenue'],
};

const seconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

function transactionOf(row: TransactionRow): object {
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

export const transactionsOf = (rows: readonly TransactionRow[]): object => ({
  transactions: rows.map(transactionOf),
  total: Number(rows[0]?.total_count),
  page: 1,
  limit: 50,
});

const periodOf = (row: PeriodRow): object => ({
  mutualise: number(row.amount_1),
  dedie: number(row.amount_2),
  navigateur: number(row.amount_3),
  total: Number(formatCredits(total(row))),
  deposits: number(row.deposits),
});

const DAYS = 30;

export const daysOf = (rows: readonly PeriodRow[]): object => ({
  daily: Object.fromEntries(rows.slice(0, DAYS).map((row) => [row.label, periodOf(row)])),
  hourly: rows.slice(DAYS).map((row) => ({ ...periodOf(row), hour: Number(row.label) })),
});

export const keyOf = (row: LimitedKeyRow): object => ({
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
