import { parseCredits } from '../../src/units.ts';
import { openLiveStream, type LiveStream, type StreamOptions } from './liveStream.ts';

export type { StreamOptions };

/** An event of `subscription usage`, as a client gets it. */
export interface StreamEvent {
  readonly __typename: 'UsageSnapshot' | 'UsageDelta' | 'UsageAdjustment' | 'UsageHeartbeat' | 'UsageLagged';
  readonly seq: string;
  readonly at: string;
  readonly fromSeq?: string;
  readonly balance?: string;
  readonly remaining?: string;
  readonly product?: 'SHARED' | 'DEDICATED' | 'BROWSER';
  readonly bytesUp?: string;
  readonly bytesDown?: string;
  readonly credits?: string;
  readonly apiKey?: { readonly id: string };
  readonly kind?: string;
  readonly amount?: string;
  readonly totals?: readonly { product: string; bytesUp: string; bytesDown: string; credits: string }[];
}

export const USAGE_SUBSCRIPTION = `subscription Usage($apiKeyId: ID, $after: String) {
  usage(apiKeyId: $apiKeyId, after: $after) {
    __typename seq at
    ... on UsageSnapshot { balance remaining totals { product bytesUp bytesDown credits } }
    ... on UsageDelta { fromSeq apiKey { id } product bytesUp bytesDown credits balance remaining }
    ... on UsageAdjustment { fromSeq kind amount balance remaining }
    ... on UsageLagged { prunedSeq }
  }
}`;

/** A usage stream. Checks that numbers have no gap. */
export interface UsageStream extends LiveStream<StreamEvent> {
  /** Sums of all deltas. */
  totals(): { readonly up: bigint; readonly down: bigint; readonly credits: bigint };
}

/** Opens the subscription and waits for its first event. */
export async function openUsageStream(options: StreamOptions): Promise<UsageStream> {
  const stream = await openLiveStream<StreamEvent>({ ...options, field: 'usage', query: USAGE_SUBSCRIPTION });
  return Object.assign(stream, { totals: () => sum(stream.events) });
}

/** Adds up the deltas. @throws when a number is missing or comes twice */
function sum(events: readonly StreamEvent[]): { up: bigint; down: bigint; credits: bigint } {
  let last: bigint | undefined;
  const total = { up: 0n, down: 0n, credits: 0n };
  for (const event of events) {
    const seq = BigInt(event.seq);
    if (event.fromSeq !== undefined && last !== undefined && BigInt(event.fromSeq) !== last + 1n) {
      throw new Error(`after ${last} came ${event.fromSeq}..${event.seq}`);
    }
    last = seq;
    total.up += BigInt(event.bytesUp ?? 0);
    total.down += BigInt(event.bytesDown ?? 0);
    total.credits += parseCredits(event.credits ?? '0') ?? 0n;
  }
  return total;
}
