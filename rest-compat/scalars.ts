declare const scalar: unique symbol;

/**
 * Text of a GraphQL custom scalar. Opaque, so that a value can only pass through a codec made for
 * that scalar: printing credits as plain text, or a date as an id, does not compile.
 */
export interface ScalarText<Name extends string> {
  readonly [scalar]: Name;
}

/** Exact decimal number of credits, such as `42.5`. */
export type CreditsText = ScalarText<'Credits'>;
/** Exact decimal number with at most 9 decimals: a rate or a price. */
export type DecimalText = ScalarText<'Decimal'>;
/** Decimal integer. */
export type BigIntText = ScalarText<'BigInt'>;
/** ISO 8601, UTC. */
export type DateTimeText = ScalarText<'DateTime'>;
/** UTC calendar day, ISO 8601. */
export type DateText = ScalarText<'Date'>;
/** Relay global id. */
export type GlobalId = ScalarText<'ID'>;
