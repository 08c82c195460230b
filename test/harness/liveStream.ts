import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** One open subscription and everything it received. */
export interface LiveStream<Event> extends AsyncDisposable {
  readonly events: readonly Event[];
  /** When each event arrived, milliseconds since the epoch. */
  readonly arrivals: readonly number[];
  /** Resolves once `done` holds; rejects when the stream ends before, or after `timeoutMs`. */
  until(done: (stream: LiveStream<Event>) => boolean, timeoutMs?: number): Promise<void>;
  /** How the stream ended: the close code or the errors; undefined while open. */
  ended(): unknown;
}

export interface StreamOptions {
  readonly transport: 'websocket' | 'sse';
  /** `http://127.0.0.1:4000` */
  readonly http: string;
  readonly token: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** What is subscribed to: a document with one field. */
interface Subscribed extends StreamOptions {
  readonly field: string;
  readonly query: string;
}

interface Result {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: unknown;
}

/** Opens a subscription and waits for its first event. */
export async function openLiveStream<Event>(options: Subscribed): Promise<LiveStream<Event>> {
  const events: Event[] = [];
  const arrivals: number[] = [];
  const waiting = new Set<() => void>();
  let end: unknown;
  const wake = (): void => waiting.forEach((check) => check());
  const { results, dispose } = subscribe(options);
  const pump = async (): Promise<void> => {
    for await (const result of results) {
      if (result.errors !== undefined) end = result.errors;
      const event = result.data?.[options.field];
      if (event !== undefined && event !== null) {
        events.push(event as Event);
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
  const stream: LiveStream<Event> = {
    events,
    arrivals,
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

function subscribe(options: Subscribed): { results: AsyncIterableIterator<Result>; dispose: () => Promise<void> } {
  const request = { query: options.query, variables: { ...options.variables } };
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
