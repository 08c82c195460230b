import { productOf, type Product } from '../../units.ts';
import { keyOf, namedKey, type KeyColumns, type KeyRow } from '../apiKeys/rows.ts';

export type TransactionType = 'DEPOSIT' | 'CONSUMPTION' | 'ADJUSTMENT';
export type Language = 'EN' | 'FR';

/** A movement of credit as customers see it. Nano-credits and bytes. */
export interface TransactionRow {
  readonly id: bigint;
  readonly type: TransactionType;
  readonly subtype: Subtype;
  readonly subtypeNumber: number;
  /** Signed: negative for consumption. */
  readonly amount: bigint;
  readonly apiKey: KeyRow | null;
  readonly product: Product | null;
  readonly status: 'PENDING' | 'CONFIRMED' | 'FAILED';
  readonly createdAt: Date;
  readonly reason: string | null;
  readonly txHash: string | null;
  readonly confirmations: number;
  readonly currency: string | null;
  readonly chainId: number;
  readonly bytesUp: bigint | null;
  readonly bytesDown: bigint | null;
}

/** The registry of subtypes: their numbers and French labels are the `lpf` dialect's. */
const SUBTYPES = [
  { type: 'DEPOSIT', number: 1, subtype: 'USDT', EN: 'USDT', FR: 'USDT' },
  { type: 'DEPOSIT', number: 2, subtype: 'CARD', EN: 'Online payment', FR: 'Paiement en ligne' },
  { type: 'DEPOSIT', number: 3, subtype: 'ETH', EN: 'ETH', FR: 'ETH' },
  { type: 'CONSUMPTION', number: 1, subtype: 'SHARED', EN: 'Shared', FR: 'Mutualisé' },
  { type: 'CONSUMPTION', number: 2, subtype: 'DEDICATED', EN: 'Dedicated', FR: 'Dédié' },
  { type: 'CONSUMPTION', number: 3, subtype: 'BROWSER', EN: 'Browser', FR: 'Navigateur' },
  { type: 'ADJUSTMENT', number: 1, subtype: 'CORRECTION', EN: 'Adjustment', FR: 'Ajustement' },
  { type: 'ADJUSTMENT', number: 2, subtype: 'WELCOME', EN: 'Welcome credit', FR: 'Crédit de bienvenue' },
  { type: 'ADJUSTMENT', number: 3, subtype: 'REVERSAL', EN: 'Reversal', FR: 'Annulation' },
] as const;
export type Subtype = (typeof SUBTYPES)[number]['subtype'];

/** Type of a ledger entry, in SQL. */
export const ENTRY_TYPE = `case when kind in ('DEPOSIT', 'CONSUMPTION') then kind else 'ADJUSTMENT' end`;

/**
 * Subtype number of a ledger entry, in SQL. The `ref` of a deposit is `currency:chain id:hash`,
 * such as `usdt:1:0x5c50…` or `stripe:0:pi_abc123`.
 */
export const ENTRY_SUBTYPE = `case kind
  when 'DEPOSIT' then case when contra = 'CARD' then 2 when ref like 'eth:%' then 3 else 1 end
  when 'REVERSAL' then 3
  else case when contra = 'PROMO' then 2 else 1 end end`;

export function subtypeOf(type: TransactionType, number: number): Subtype {
  const found = SUBTYPES.find((row) => row.type === type && row.number === number);
  if (found === undefined) throw new RangeError(`${type} has no subtype ${number}`);
  return found.subtype;
}

/** Display label of a subtype. */
export function subtypeLabel(subtype: Subtype, language: Language): string {
  const found = SUBTYPES.find((row) => row.subtype === subtype);
  return found === undefined ? subtype : found[language];
}

/** Columns of the transaction statements: what ledger entries and usage hours have in common. */
export interface TransactionColumns {
  readonly tx_id: bigint;
  readonly at: Date;
  readonly type: TransactionType;
  readonly subtype_number: number;
  readonly amount: bigint;
  readonly ref: string | null;
  readonly consumer_id: bigint | null;
  readonly product: number | null;
  /** Absent in brief rows, as is all of the key but its name. */
  readonly up?: bigint | null;
  readonly down?: bigint | null;
}

type Nullable<Columns> = { readonly [Column in keyof Columns]: Columns[Column] | null };

type Row = TransactionColumns & Nullable<KeyColumns>;

/** Rows of a page, brief or whole. */
export function transactionsOf(rows: readonly Row[], brief: boolean): TransactionRow[] {
  const keys = brief ? namedKeys(rows) : wholeKeys(rows);
  return rows.map((row) => transactionOf(row, row.consumer_id === null ? null : (keys.get(row.consumer_id) ?? null)));
}

/** Only the first row of each key carries the columns of the key, so that they are sent and parsed once. */
function wholeKeys(rows: readonly Row[]): Map<bigint, KeyRow> {
  const keys = new Map<bigint, KeyRow>();
  for (const row of rows) if (hasKey(row)) keys.set(row.key_id, keyOf(row));
  return keys;
}

function namedKeys(rows: readonly Row[]): Map<bigint, KeyRow> {
  const keys = new Map<bigint, KeyRow>();
  for (const { consumer_id: id, key_name: name } of rows)
    if (id !== null && !keys.has(id)) keys.set(id, namedKey(id, name ?? ''));
  return keys;
}

function hasKey<Row extends Nullable<KeyColumns>>(row: Row): row is Row & KeyColumns {
  return row.key_id !== null;
}

function transactionOf(row: TransactionColumns, apiKey: KeyRow | null): TransactionRow {
  const [currency = null, chain = '0', ...hash] = row.type === 'DEPOSIT' ? (row.ref?.split(':') ?? []) : [];
  return {
    id: row.tx_id,
    type: row.type,
    subtype: subtypeOf(row.type, row.subtype_number),
    subtypeNumber: row.subtype_number,
    amount: row.amount,
    apiKey,
    product: row.product === null ? null : productOf(row.product),
    status: 'CONFIRMED',
    createdAt: row.at,
    reason: row.type === 'ADJUSTMENT' ? row.ref : null,
    txHash: hash.length === 0 ? null : hash.join(':'),
    confirmations: 0,
    currency,
    chainId: Number(chain),
    bytesUp: row.up ?? null,
    bytesDown: row.down ?? null,
  };
}
