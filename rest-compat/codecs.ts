import { isObject, memberOf, namesOf, numberTextOf, stringOf, type Json } from './json.ts';
import type { BigIntText, CreditsText, DateText, DateTimeText, DecimalText, GlobalId } from './scalars.ts';

/** A schema object of OpenAPI 3.0. */
export type Schema = Readonly<Record<string, unknown>>;

/** What a codec asks of its input; dialects say it in their language. */
export type Expectation =
  | 'text'
  | 'boolean'
  | 'flag'
  | 'flags'
  | 'integer'
  | 'credits'
  | 'decimal'
  | 'id'
  | 'date'
  | 'choice'
  | 'lines'
  | 'bytes'
  | 'address';

/** Converts between a GraphQL value and a dialect's JSON or text. Invariant in `Value`: it fits one scalar. */
export interface Codec<Value> {
  readonly expects: Expectation;
  /** From a body. undefined: does not fit. */
  readonly read: (json: Json) => Value | undefined;
  /** From a query parameter, header or path segment. undefined: does not fit. */
  readonly readText: (text: string) => Value | undefined;
  /** To JSON text. */
  readonly write: (value: Value) => string;
  readonly schema: Schema;
  /** A path segment that does not match is another route, not a bad parameter. */
  readonly segment?: RegExp;
}

function onString<Value>(codec: Omit<Codec<Value>, 'read'>): Codec<Value> {
  const read = (json: Json): Value | undefined => {
    const text = stringOf(json);
    return text === undefined ? undefined : codec.readText(text);
  };
  return { ...codec, read };
}

function onNumber<Value>(codec: Omit<Codec<Value>, 'read'>): Codec<Value> {
  const read = (json: Json): Value | undefined => {
    const text = numberTextOf(json);
    return text === undefined ? undefined : codec.readText(text);
  };
  return { ...codec, read };
}

/** GraphQL serialises these scalars as strings; the types keep them apart. */
const asText = (value: BigIntText | CreditsText | DateText | DateTimeText | DecimalText | GlobalId): string =>
  value as unknown as string;

/** Most text goes into JSON as it is; looking costs a third of `JSON.stringify`. */
const NEEDS_ESCAPE = /[^ !#-[\]-~\u00a0-\ud7ff]/;
/** Any text: what it may hold is for the operation to say. */
export const text: Codec<string> = onString({
  expects: 'text',
  readText: (value) => value,
  write: (value) => (NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`),
  schema: { type: 'string' },
});

export const boolean: Codec<boolean> = {
  expects: 'boolean',
  read: (json) => (typeof json === 'boolean' ? json : undefined),
  readText: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  write: (value) => (value ? 'true' : 'false'),
  schema: { type: 'boolean' },
};

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

const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Instant in whole seconds, UTC: `2026-03-28T12:00:00Z`. */
export const instant: Codec<DateTimeText> = onString({
  expects: 'date',
  readText: (value) => (SECONDS.test(value) ? (value as unknown as DateTimeText) : undefined),
  write: (value) => `"${asText(value).slice(0, 19)}Z"`,
  schema: { type: 'string', format: 'date-time' },
});

/** Calendar day: `2026-03-28`. */
export const day: Codec<DateText> = onString({
  expects: 'date',
  readText: (value) => (/^\d{4}-\d\d-\d\d$/.test(value) ? (value as unknown as DateText) : undefined),
  write: (value) => `"${asText(value)}"`,
  schema: { type: 'string', format: 'date' },
});

/** Members of a GraphQL enum under the dialect's words. */
export function choice<const Words extends Readonly<Record<string, string>>>(words: Words): Codec<keyof Words> {
  const members = new Map(Object.entries(words).map(([member, word]) => [word, member as keyof Words]));
  const written = new Map(Object.entries(words).map(([member, word]) => [member as keyof Words, JSON.stringify(word)]));
  return onString<keyof Words>({
    expects: 'choice',
    readText: (value) => members.get(value),
    write: (value) => written.get(value) ?? 'null',
    schema: { type: 'string', enum: Object.values(words) },
  });
}

/** A JSON object of booleans under some of these names, and no others; no text stands for it. */
export function flags<const Name extends string>(...names: Name[]): Codec<{ readonly [N in Name]?: boolean }> {
  const known = new Set<string>(names);
  const read = (json: Json): { readonly [N in Name]?: boolean } | undefined => {
    if (!isObject(json)) return undefined;
    const members = namesOf(json).map((name) => [name, memberOf(json, name)] as const);
    const fits = members.every(([name, value]) => known.has(name) && typeof value === 'boolean');
    return fits ? (Object.fromEntries(members) as { readonly [N in Name]?: boolean }) : undefined;
  };
  return {
    expects: 'flags',
    read,
    readText: () => undefined,
    write: (value) => JSON.stringify(value),
    schema: {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, boolean.schema])),
      additionalProperties: false,
    },
  };
}

/** The same, or `null`. */
export function nullable<Value>(codec: Codec<Value>): Codec<Value | null> {
  return {
    ...codec,
    read: (json) => (json === null ? null : codec.read(json)),
    readText: codec.readText,
    write: (value) => (value === null ? 'null' : codec.write(value)),
    schema: { ...codec.schema, nullable: true },
  };
}

/** A JSON array; as text, separated by commas. */
export function list<Value>(codec: Codec<Value>): Codec<readonly Value[]> {
  const all = (values: readonly (Value | undefined)[]): readonly Value[] | undefined =>
    values.every((value) => value !== undefined) ? values : undefined;
  return {
    expects: codec.expects,
    read: (json) => (Array.isArray(json) ? all(json.map(codec.read)) : undefined),
    readText: (value) => all(value.split(',').map(codec.readText)),
    write: (values) => `[${values.map(codec.write).join(',')}]`,
    schema: { type: 'array', items: codec.schema },
  };
}
