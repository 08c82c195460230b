import { openLiveStream, type LiveStream, type StreamOptions } from './liveStream.ts';

/** An event of `subscription refusals`, as a client gets it. */
export interface RefusalStreamEvent {
  readonly __typename: 'RefusalDelta' | 'RefusalHeartbeat';
  readonly at: string;
  readonly apiKey?: { readonly id: string };
  readonly code?: string;
  readonly message?: string;
  readonly count?: string;
  readonly product?: string | null;
  readonly clientAddress?: string | null;
}

export const REFUSALS_SUBSCRIPTION = `subscription Refusals($apiKeyId: ID) {
  refusals(apiKeyId: $apiKeyId) {
    __typename at
    ... on RefusalDelta { apiKey { id } code message count product clientAddress }
  }
}`;

export interface RefusalStream extends LiveStream<RefusalStreamEvent> {
  /** Without the heartbeats. */
  deltas(): RefusalStreamEvent[];
  /** How many were refused in all. */
  total(): number;
}

/** Opens the subscription; from then on everything refused is told. */
export async function openRefusalStream(options: StreamOptions): Promise<RefusalStream> {
  const stream = await openLiveStream<RefusalStreamEvent>({
    ...options,
    field: 'refusals',
    query: REFUSALS_SUBSCRIPTION,
  });
  const deltas = (): RefusalStreamEvent[] => stream.events.filter((event) => event.__typename === 'RefusalDelta');
  return Object.assign(stream, { deltas, total: () => deltas().reduce((sum, { count }) => sum + Number(count), 0) });
}
