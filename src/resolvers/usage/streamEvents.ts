import type { AccountEvent } from '../../events.ts';
import { PRODUCTS } from '../../units.ts';
import type { ProductTotal, UsageAdjustment, UsageDelta } from './stream.ts';

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
        if (next.__typename === 'UsageAdjustment') return { event: next, scanned: event.seq };
        delta = next;
      } else if (next.__typename === 'UsageDelta' && next.keyId === delta.keyId && next.product === delta.product) {
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
    return { __typename: 'UsageAdjustment', fromSeq, seq, at, kind, amount: event.amount, balance, remaining };
  }
  return {
    __typename: 'UsageDelta',
    fromSeq,
    seq,
    at,
    keyId: event.keyId,
    product: event.product,
    bytesUp: event.up,
    bytesDown: event.down,
    credits: -event.amount,
    balance,
    remaining,
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
