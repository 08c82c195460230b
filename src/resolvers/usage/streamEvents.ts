import type { AccountEvent } from '../../events.ts';
import { PRODUCTS, type Product } from '../../units.ts';

/** Bytes and nano-credits of one product. */
export interface ProductTotal {
  readonly product: Product;
  readonly bytesUp: bigint;
  readonly bytesDown: bigint;
  readonly credits: bigint;
}

interface Numbered {
  /** Number of the account that the reader has reached with this event. */
  readonly seq: bigint;
  readonly at: Date;
}

/** Where the stream starts: `balance`, `remaining` and the lifetime `totals` are those at number `seq`. */
export interface UsageSnapshot extends Numbered {
  readonly type: 'UsageSnapshot';
  readonly balance: bigint;
  readonly remaining: bigint;
  readonly totals: readonly ProductTotal[];
}

/** Traffic of one key and product: the sum of the numbers `fromSeq` to `seq`. */
export interface UsageDelta extends Numbered, ProductTotal {
  readonly type: 'UsageDelta';
  readonly fromSeq: bigint;
  readonly keyId: bigint;
  /** After number `seq`. */
  readonly balance: bigint;
  /** After number `seq`. */
  readonly remaining: bigint;
}

/** What else moved the balance or what remains. */
export interface UsageAdjustment extends Numbered {
  readonly type: 'UsageAdjustment';
  readonly fromSeq: bigint;
  readonly kind: 'ENTRY' | 'LIMIT' | 'MERGE';
  /** Signed change of the balance. */
  readonly amount: bigint;
  readonly balance: bigint;
  readonly remaining: bigint;
}

/** Nothing happened; all numbers up to `seq` are accounted for. */
export interface UsageHeartbeat extends Numbered {
  readonly type: 'UsageHeartbeat';
}

/** Numbers up to `prunedSeq` are gone; a snapshot follows. `seq` is still the reader's own. */
export interface UsageLagged extends Numbered {
  readonly type: 'UsageLagged';
  readonly prunedSeq: bigint;
}

export type UsageEvent = UsageSnapshot | UsageDelta | UsageAdjustment | UsageHeartbeat | UsageLagged;

/** What `take` found. Without an event, all of the page belonged to other keys. */
export interface Taken {
  readonly event: UsageDelta | UsageAdjustment | undefined;
  /** Last number of the page that was dealt with. */
  readonly scanned: bigint;
}

/**
 * Takes the next event of a stream out of a page of account events. Neighbours of one key and product
 * are summed, however many there are. Two keys that alternate are not: each event must leave its reader
 * with exactly the numbers up to `seq`, or a stream that is dropped and resumed there would not add up.
 * @param seen last number that the reader was told
 * @param keyId only events of this key and of the account itself; null: all
 */
export function take(page: readonly AccountEvent[], seen: bigint, keyId: bigint | null): Taken {
  let scanned = seen;
  let delta: UsageDelta | undefined;
  for (const event of page) {
    if (keyId === null || event.keyId === null || event.keyId === keyId) {
      const next = translate(event, seen + 1n, keyId);
      if (delta === undefined) {
        if (next.type === 'UsageAdjustment') return { event: next, scanned: event.seq };
        delta = next;
      } else if (next.type === 'UsageDelta' && next.keyId === delta.keyId && next.product === delta.product) {
        delta = sum(delta, next);
      } else {
        break;
      }
    }
    scanned = event.seq;
  }
  return { event: delta, scanned: delta === undefined ? scanned : delta.seq };
}

function translate(event: AccountEvent, fromSeq: bigint, keyId: bigint | null): UsageDelta | UsageAdjustment {
  const { seq, at, balance } = event;
  const narrowed = keyId !== null && event.keyRemaining !== null && event.keyRemaining < event.remaining;
  const remaining = narrowed ? event.keyRemaining : event.remaining;
  if (event.kind !== 'usage' || event.keyId === null || event.product === null) {
    const kind = KINDS[event.kind];
    return { type: 'UsageAdjustment', fromSeq, seq, at, kind, amount: event.amount, balance, remaining };
  }
  return {
    ...{ type: 'UsageDelta', fromSeq, seq, at, keyId: event.keyId, product: event.product },
    ...{ bytesUp: event.up, bytesDown: event.down, credits: -event.amount, balance, remaining },
  };
}

const KINDS = { usage: 'ENTRY', entry: 'ENTRY', limit: 'LIMIT', merge: 'MERGE' } as const;

function sum(left: UsageDelta, right: UsageDelta): UsageDelta {
  return {
    ...right,
    bytesUp: left.bytesUp + right.bytesUp,
    bytesDown: left.bytesDown + right.bytesDown,
    credits: left.credits + right.credits,
  };
}

/** One total per product, zero where there was no traffic. */
export function allProducts(totals: readonly ProductTotal[]): ProductTotal[] {
  return PRODUCTS.map(
    (product) =>
      totals.find((total) => total.product === product) ?? { product, bytesUp: 0n, bytesDown: 0n, credits: 0n },
  );
}
