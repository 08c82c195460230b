import { randomUUID } from 'node:crypto';

import { AppError } from '../../errors.ts';
import type {
  ConnectionRef,
  Connections,
  ConnectionsView,
  FoundConnections,
  OpenConnection,
  ViewedKeys,
} from '../../openConnection.ts';
import { Exchange, type Answers, type ExchangeOptions } from './exchange.ts';
import { ConnectionFeed } from './feed.ts';
import { answer, merge, NOTHING, type Answer, type Question } from './question.ts';

export interface ConnectionsOptions extends ExchangeOptions {
  /** Other instances may be on the same database. */
  readonly shared: boolean;
}

const ALONE: Answers = { answers: new Map(), complete: true };

/** Open connections of this instance and, where there are others, of those. `close` before the database is closed. */
export function createConnections(options: ConnectionsOptions): Connections & { close(): Promise<void> } {
  return new FleetConnections(options);
}

class FleetConnections implements Connections {
  readonly #options: ConnectionsOptions;
  readonly #exchange: Exchange | undefined;
  readonly #feeds = new Map<string, ConnectionFeed>();
  /** Standing questions that are being taken back. */
  readonly #dropping = new Set<Promise<void>>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#exchange = options.shared ? new Exchange(options) : undefined;
  }

  async list(
    askerId: bigint,
    keyIds: readonly bigint[],
    page: Pick<Question, 'after' | 'size'>,
  ): Promise<FoundConnections> {
    if (keyIds.length === 0) return merge(new Map(), page.size, true);
    const question = { keyIds, ...page };
    return this.#merged(question, (await this.#exchange?.ask(askerId, question)) ?? ALONE);
  }

  async find(askerId: bigint, keyIds: readonly bigint[], ref: ConnectionRef): Promise<OpenConnection | undefined> {
    const { connections } = (await this.#one(askerId, { keyIds, ref, close: false })) ?? NOTHING;
    const [found] = connections;
    return found === undefined ? undefined : { ...found, instanceId: ref.instanceId };
  }

  async reset(askerId: bigint, keyIds: readonly bigint[], ref: ConnectionRef): Promise<boolean> {
    const said = await this.#one(askerId, { keyIds, ref, close: true });
    if (said === undefined) throw new AppError('UNAVAILABLE');
    return said.total > 0;
  }

  follow(keys: ViewedKeys, size: number, onLook: () => void): ConnectionsView {
    const known = this.#feeds.get(keys.name);
    if (known !== undefined) return known.follow(onLook);
    const id = randomUUID();
    const feed = new ConnectionFeed(keys, {
      find: async (keyIds) => {
        if (keyIds.length === 0) return merge(new Map(), size, true);
        const question = { keyIds, size };
        return this.#merged(question, (await this.#exchange?.stand(id, question)) ?? ALONE);
      },
      onError: (error) => this.#options.log.warn({ err: error }, 'looking at open connections failed'),
      onIdle: (looking) => {
        this.#feeds.delete(keys.name);
        if (this.#exchange !== undefined) this.#drop(this.#exchange, id, looking);
      },
    });
    this.#feeds.set(keys.name, feed);
    return feed.follow(onLook);
  }

  #merged(question: Question, { answers, complete }: Answers): FoundConnections {
    const { local, instanceId } = this.#options;
    const connections = local();
    const own = instanceId();
    const all = new Map(answers);
    if (connections !== undefined && own !== undefined) all.set(own, answer(connections, own, question));
    return merge(all, question.size, complete);
  }

  async close(): Promise<void> {
    await this.#exchange?.close();
    await Promise.all(this.#dropping);
  }

  /** @returns undefined when its instance does not answer */
  async #one(
    askerId: bigint,
    {
      keyIds,
      ref: { instanceId, no },
      close,
    }: { readonly keyIds: readonly bigint[]; readonly ref: ConnectionRef; readonly close: boolean },
  ): Promise<Answer | undefined> {
    if (keyIds.length === 0) return NOTHING;
    const { local } = this.#options;
    const question = { keyIds, size: 1, no, close };
    const own = local();
    if (instanceId === this.#options.instanceId()) return own && answer(own, instanceId, question);
    if (this.#exchange === undefined) return NOTHING;
    const { answers, complete } = await this.#exchange.ask(askerId, question, instanceId);
    return answers.get(instanceId) ?? (complete ? NOTHING : undefined);
  }

  #drop(exchange: Exchange, id: string, looking: Promise<void>): void {
    const dropped = looking
      .then(() => exchange.drop(id))
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a question about connections stays behind'))
      .finally(() => this.#dropping.delete(dropped));
    this.#dropping.add(dropped);
  }
}
