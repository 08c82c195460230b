import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';

import { parseCredits } from '../../src/units.ts';

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

/** One open subscription and everything it received. Checks that numbers have no gap. */
export interface UsageStream extends AsyncDisposable {
  readonly events: readonly StreamEvent[];
  /** When each event arrived, milliseconds since the epoch. */
  readonly arrivals: readonly number[];
  /** Sums of all deltas. */
  totals(): { readonly up: bigint; readonly down: bigint; readonly credits: bigint };
  /** Resolves once `done` holds; rejects when the stream ends before, or after `timeoutMs`. */
  until(done: (stream: UsageStream) => boolean, timeoutMs?: number): Promise<void>;
  /** How the stream ended: the close code or the errors; undefined while open. */
  ended(): unknown;
}

export interface StreamOptions {
  readonly transport: 'websocket' | 'sse';
  /** `http://127.0.0.1:4000` */
  readonly http: string;
  readonly token: string;
  readonly variables?: { readonly apiKeyId?: string; readonly after?: string };
}

interface Result {
  readonly data?: { readonly usage: StreamEvent } | null;
  readonly errors?: unknown;
}

/** Opens the subscription and waits for its first event. */
export async function openUsageStream(options: StreamOptions): Promise<UsageStream> {
  const events: StreamEvent[] = [];
  const arrivals: number[] = [];
  const waiting = new Set<() => void>();
  let end: unknown;
  const wake = (): void => waiting.forEach((check) => check());
  const { results, dispose } = subscribe(options);
  const pump = async (): Promise<void> => {
    for await (const result of results) {
      if (result.errors !== undefined) end = result.errors;
      if (result.data?.usage !== undefined) {
        events.push(result.data.usage);
        arrivals.push(Date.now());
      }
      wake();
    }
  };
  const finished = pump().then(
    () => (end ??= 'completed'),
    (error: unknown) => (end = error),
  );
  void finished.then(wake);
  const stream: UsageStream = {
    events,
    arrivals,
    totals: () => sum(events),
    ended: () => end,
    until: (done, timeoutMs = 15_000) =>
      new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          waiting.delete(check);
          clearTimeout(timer);
          act();
        };
        const check = (): void => {
          if (done(stream)) settle(resolve);
          else if (end !== undefined) settle(() => reject(new Error(`the stream ended: ${JSON.stringify(end)}`)));
        };
        const timer = setTimeout(
          () => settle(() => reject(new Error(`timed out; last event ${JSON.stringify(events.at(-1))}`))),
          timeoutMs,
        );
        waiting.add(check);
        check();
      }),
    async [Symbol.asyncDispose]() {
      await results.return?.(undefined);
      await dispose();
    },
  };
  await stream.until(() => events.length > 0);
  return stream;
}

function subscribe(options: StreamOptions): { results: AsyncIterableIterator<Result>; dispose: () => Promise<void> } {
  const request = { query: USAGE_SUBSCRIPTION, variables: { ...options.variables } };
  const authorization = `Bearer ${options.token}`;
  if (options.transport === 'sse') {
    const client = createSseClient({ url: `${options.http}/graphql`, headers: { authorization }, retryAttempts: 0 });
    return { results: client.iterate(request) as AsyncIterableIterator<Result>, dispose: async () => client.dispose() };
  }
  const client = createWebSocketClient({
    url: `${options.http.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  return {
    results: client.iterate(request) as AsyncIterableIterator<Result>,
    dispose: async () => client.dispose(),
  };
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
