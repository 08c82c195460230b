/**
 * Credits, bytes and products. Every amount is a bigint of nano-credits (10^-9 credit):
 * at 3, 8 and 10 credits per GB (10^9 bytes) a byte costs exactly 3, 8 and 10 of them.
 */

/** Nano-credits per credit. */
export const NANO = 1_000_000_000n;

/** What is sold, as GraphQL names it. */
export const PRODUCTS = ['SHARED', 'DEDICATED', 'BROWSER'] as const;
export type Product = (typeof PRODUCTS)[number];

/** Nano-credits per byte; the ledger's SQL function `product_price` holds the same numbers. */
export const PRICE_PER_BYTE: Readonly<Record<Product, bigint>> = { SHARED: 3n, DEDICATED: 8n, BROWSER: 10n };

/** Products are numbered 1, 2, 3 in the database (and as `subtype` of the `lpf` dialect). */
export function productNumber(product: Product): number {
  return PRODUCTS.indexOf(product) + 1;
}

/** @throws RangeError for a number that is no product */
export function productOf(number: number): Product {
  const product = PRODUCTS[number - 1];
  if (product === undefined) throw new RangeError(`no product has number ${number}`);
  return product;
}

/** UTC calendar windows in which spending can be limited. */
export const WINDOWS = ['DAY', 'WEEK', 'MONTH'] as const;
export type Window = (typeof WINDOWS)[number];

/** Greatest amount that a signed 64-bit integer holds: about 9.2 × 10^9 credits. */
export const MAX_AMOUNT = 2n ** 63n - 1n;

const DECIMAL = /^(-?)(\d{1,10})(?:\.(\d{1,9}))?$/;

/**
 * Parses an exact decimal number of credits, such as `"42.5"`, into nano-credits.
 * @returns undefined when the text is not a decimal, has more than 9 decimals or does not fit
 */
export function parseCredits(text: string): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '0', fraction = ''] = match;
  const amount = BigInt(whole) * NANO + BigInt(fraction.padEnd(9, '0'));
  if (amount > MAX_AMOUNT) return undefined;
  return sign === '-' ? -amount : amount;
}

/** Prints nano-credits as the shortest exact decimal: `42500000000n` is `"42.5"`. */
export function formatCredits(amount: bigint): string {
  const absolute = amount < 0n ? -amount : amount;
  const fraction = (absolute % NANO).toString().padStart(9, '0').replace(/0+$/, '');
  const text = fraction === '' ? `${absolute / NANO}` : `${absolute / NANO}.${fraction}`;
  return amount < 0n ? `-${text}` : text;
}

/** Start of the UTC window that contains `at`: 00:00, Monday 00:00, the 1st 00:00. */
export function windowStart(window: Window, at: Date): Date {
  const start = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), window === 'MONTH' ? 1 : at.getUTCDate()));
  if (window === 'WEEK') start.setUTCDate(start.getUTCDate() - ((start.getUTCDay() + 6) % 7));
  return start;
}

/** When the UTC window that contains `at` ends and its counter restarts. */
export function windowEnd(window: Window, at: Date): Date {
  const end = windowStart(window, at);
  if (window === 'MONTH') end.setUTCMonth(end.getUTCMonth() + 1);
  else end.setUTCDate(end.getUTCDate() + (window === 'WEEK' ? 7 : 1));
  return end;
}

/** Start of the UTC hour that contains `at`. */
export function hourStart(at: Date): Date {
  return new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS);
}

export const HOUR_MS = 3_600_000;
