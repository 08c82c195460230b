import { asText, onNumber, type Codec } from './codec.ts';
import type { BigIntText, CreditsText, DecimalText, GlobalId } from './scalars.ts';

/** Boolean written as 1 or 0. */
export const flag: Codec<boolean> = onNumber({
  expects: 'flag',
  readText: (value) => (value === '1' ? true : value === '0' ? false : undefined),
  write: (value) => (value ? '1' : '0'),
  schema: { type: 'integer', enum: [0, 1] },
});

/** Digits alone: `1e9` is none. */
const INTEGER = /^-?\d+$/;

/** Integer; outside `least`..`most` (safe integers) the nearest bound is taken, however long the number is. */
export function integer(least: number, most: number): Codec<number> {
  return onNumber({
    expects: 'integer',
    readText: (value) => (INTEGER.test(value) ? Math.min(Math.max(Number(value), least), most) : undefined),
    write: (value) => String(value),
    schema: { type: 'integer' },
  });
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;
const DECIMALS = 9;
const LONGEST_NUMBER = 64;
/** Greatest number of nano-credits, and of an id: a signed 64-bit integer. */
const MAX_INT64 = 2n ** 63n - 1n;

/** The JSON number as a plain decimal with at most 9 decimals, or undefined: never rounded. */
function plainDecimal(number: string): string | undefined {
  const match = number.length > LONGEST_NUMBER ? null : NUMBER.exec(number);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const point = whole.length + Number(exponent);
  const digits = (whole + fraction).padEnd(point, '0');
  const shifted = point < 0 ? digits.padStart(digits.length - point, '0') : digits;
  const head = shifted.slice(0, Math.max(0, point)).replace(/^0+(?=\d)/, '') || '0';
  const tail = shifted.slice(Math.max(0, point)).replace(/0+$/, '');
  if (tail.length > DECIMALS || BigInt(head + tail.padEnd(DECIMALS, '0')) > MAX_INT64) return undefined;
  return `${sign}${head}${tail === '' ? '' : `.${tail}`}`;
}

/** Money: a JSON number literal with at most 9 decimals, taken and printed digit by digit, never through a float. */
export const credits: Codec<CreditsText> = onNumber({
  expects: 'credits',
  readText: (value) => plainDecimal(value) as unknown as CreditsText | undefined,
  write: asText,
  schema: { type: 'number' },
});

/** A rate or a price: the same literal as money. */
export const decimal: Codec<DecimalText> = onNumber({
  expects: 'decimal',
  readText: (value) => plainDecimal(value) as unknown as DecimalText | undefined,
  write: asText,
  schema: { type: 'number' },
});

/** 64-bit integer as a JSON number of any length. */
export const bigint: Codec<BigIntText> = onNumber({
  expects: 'integer',
  readText: (value) => (/^-?\d{1,19}$/.test(value) ? (value as unknown as BigIntText) : undefined),
  write: asText,
  schema: { type: 'integer', format: 'int64' },
});

const DIGITS = /^\d+$/;

/** Numeric id of the dialect ↔ Relay global id of `type`. */
export function numericId(type: string): Codec<GlobalId> {
  const prefix = `${type}:`;
  return onNumber({
    expects: 'id',
    readText: (value) => {
      if (!DIGITS.test(value) || value.length > LONGEST_NUMBER) return undefined;
      // A number that no row can have stays a number that no row has.
      const id = BigInt(value) > MAX_INT64 ? 0n : BigInt(value);
      return Buffer.from(`${prefix}${id}`).toString('base64') as unknown as GlobalId;
    },
    write: (value) => {
      const id = Buffer.from(asText(value), 'base64').toString('utf8');
      if (!id.startsWith(prefix)) throw new TypeError(`not the id of a ${type}`);
      return id.slice(prefix.length);
    },
    schema: { type: 'integer', format: 'int64' },
    segment: DIGITS,
  });
}
