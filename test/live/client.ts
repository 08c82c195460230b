import { WebSocket } from 'ws';

import { USAGE_SUBSCRIPTION, type StreamEvent } from '../harness/usageStream.ts';

/** A message of the graphql-transport-ws protocol. */
export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

export interface OpenOptions {
  readonly headers?: Record<string, string>;
  readonly protocol?: string;
  /** Address that the client has. */
  readonly localAddress?: string;
}

/** Speaks graphql-transport-ws message by message, and keeps all it hears. */
export class SocketClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(Buffer.isBuffer(data) ? data.toString() : '') as Message);
      for (const check of this.#waiting) check();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const check of this.#waiting) check();
      });
    });
  }

  static async open(
    url: string,
    { protocol = 'graphql-transport-ws', ...options }: OpenOptions = {},
  ): Promise<SocketClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, options);
    const client = new SocketClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  /** Opens and authenticates. */
  static async connect(url: string, token: string): Promise<SocketClient> {
    const client = await SocketClient.open(url);
    client.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    await client.until((messages) => messages.some(({ type }) => type === 'connection_ack'));
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, variables: Readonly<Record<string, unknown>> = {}, query = USAGE_SUBSCRIPTION): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  /** The usage events that operation `id` got. */
  events(id: string): StreamEvent[] {
    return this.messages.flatMap((message) => {
      if (message.id !== id || message.type !== 'next') return [];
      const { data } = message.payload as { data?: { usage: StreamEvent } | null };
      return data?.usage === undefined ? [] : [data.usage];
    });
  }

  /** Codes of the errors that operation `id` got. */
  codes(id: string): string[] {
    return this.messages.flatMap(({ id: of, type, payload }) => {
      if (of !== id || (type !== 'next' && type !== 'error')) return [];
      const errors = (type === 'error' ? payload : (payload as { errors?: unknown }).errors) as
        { extensions: { code: string } }[] | undefined;
      return (errors ?? []).map(({ extensions }) => extensions.code);
    });
  }

  until(done: (messages: readonly Message[]) => boolean, timeoutMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!done(this.messages)) return;
        this.#waiting.delete(check);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`timed out; last message ${JSON.stringify(this.messages.at(-1))}`));
      }, timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

/** The last number of a list of events. */
export function lastSeq(events: readonly StreamEvent[]): bigint {
  return BigInt(events.at(-1)?.seq ?? -1);
}
