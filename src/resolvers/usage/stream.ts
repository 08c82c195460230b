import type { Product } from '../../units.ts';

/** Traffic of one product. Bytes, and nano-credits. */
export interface ProductTotal {
  readonly product: Product;
  readonly bytesUp: bigint;
  readonly bytesDown: bigint;
  readonly credits: bigint;
}

interface Numbered {
  /** Number within the account's stream. */
  readonly seq: bigint;
  readonly at: Date;
}

interface Ranged extends Numbered {
  /** Always the last number seen + 1: the event covers `fromSeq`..`seq`. */
  readonly fromSeq: bigint;
}

interface Credit {
  readonly balance: bigint;
  /** Narrowed to the key when the stream is one key's. */
  readonly remaining: bigint;
}

/** Where the account stands: first event of a stream without `after`. Consumes no number. */
export interface UsageSnapshot extends Numbered, Credit {
  readonly __typename: 'UsageSnapshot';
  /** Lifetime totals, one per product. */
  readonly totals: readonly ProductTotal[];
}

/** Traffic of one key and product. */
export interface UsageDelta extends Ranged, Credit {
  readonly __typename: 'UsageDelta';
  readonly keyId: bigint;
  readonly product: Product;
  readonly bytesUp: bigint;
  readonly bytesDown: bigint;
  readonly credits: bigint;
}

/** Anything else that moved balance or limits. */
export interface UsageAdjustment extends Ranged, Credit {
  readonly __typename: 'UsageAdjustment';
  readonly kind: 'ENTRY' | 'LIMIT' | 'MERGE';
  /** Signed change of the balance; 0 for limits. */
  readonly amount: bigint;
}

/** Nothing happened. Consumes no number, may move `seq` forward for a filtered stream. */
export interface UsageHeartbeat extends Numbered {
  readonly __typename: 'UsageHeartbeat';
}

/** History up to `prunedSeq` is gone; a fresh snapshot follows. */
export interface UsageLagged extends Numbered {
  readonly __typename: 'UsageLagged';
  readonly prunedSeq: bigint;
}

export type UsageStreamEvent = UsageSnapshot | UsageDelta | UsageAdjustment | UsageHeartbeat | UsageLagged;
