import { numberTextOf, stringOf, type Json } from './json.ts';
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

/** A codec that reads JSON strings as it reads text. */
export function onString<Value>(codec: Omit<Codec<Value>, 'read'>): Codec<Value> {
  const read = (json: Json): Value | undefined => {
    const text = stringOf(json);
    return text === undefined ? undefined : codec.readText(text);
  };
  return { ...codec, read };
}

/** A codec that reads the digits of JSON numbers as it reads text. */
export function onNumber<Value>(codec: Omit<Codec<Value>, 'read'>): Codec<Value> {
  const read = (json: Json): Value | undefined => {
    const text = numberTextOf(json);
    return text === undefined ? undefined : codec.readText(text);
  };
  return { ...codec, read };
}

/** GraphQL serialises these scalars as strings; the types keep them apart. */
export const asText = (value: BigIntText | CreditsText | DateText | DateTimeText | DecimalText | GlobalId): string =>
  value as unknown as string;
