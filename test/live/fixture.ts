import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { createWallets } from '../../src/chain/wallets.ts';
import type { Services } from '../../src/context.ts';
import { deriveKeys, newApiKeySecret } from '../../src/crypto.ts';
import type { Database } from '../../src/database/open.ts';
import { sql } from '../../src/database/sql.ts';
import { localEvents, type Events } from '../../src/events.ts';
import { createExecutor, type Executor } from '../../src/graphql/executor.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { startHttpServer, type HttpServer } from '../../src/http/server.ts';
import { createLiveUsage } from '../../src/live/live.ts';
import { createLiveSockets, type LiveSockets } from '../../src/live/websocket.ts';
import { createLogger } from '../../src/log.ts';
import { insertApiKey } from '../../src/resolvers/apiKeys/insertApiKey.ts';
import { createKeyActivity } from '../../src/resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator } from '../../src/resolvers/auth/authenticate.ts';
import { openInstance } from '../../src/resolvers/ledger/open.ts';
import { post } from '../../src/resolvers/ledger/post.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { schema } from '../../src/schema/index.ts';
import { createThrottle } from '../../src/throttle.ts';
import { hourStart, type Product } from '../../src/units.ts';
import { openTestDatabase } from '../harness/database.ts';
import { NO_EXITS } from '../harness/exits.ts';
import { newAccount } from '../resolvers/ledger/fixture.ts';
import { openTestConnections, type TestConnections } from '../harness/openConnections.ts';

/** One server's API without its proxy: usage is made by ticking the ledger. */
export interface LiveServer extends AsyncDisposable {
  readonly services: Services;
  readonly executor: Executor;
  readonly sockets: LiveSockets;
  readonly connections: TestConnections;
  readonly http: HttpServer;
  /** `http://127.0.0.1:port` */
  readonly url: string;
}

export interface LiveServerOptions {
  readonly events?: Events;
  /** Absent: the embedded database has no other instance. */
  readonly hearsAll?: () => boolean;
  readonly maxSubscriptionsPerAccount?: number;
  /** With it, other servers on the same database are asked about their connections. */
  readonly instanceId?: string;
}

const unexpected = (error: unknown): void => {
  throw error;
};

export async function startLiveServer(db: Database, options: LiveServerOptions = {}): Promise<LiveServer> {
  const events = options.events ?? localEvents(unexpected);
  const log = createLogger('silent');
  const live = createLiveUsage({
    db,
    events,
    log,
    maxSubscriptionsPerAccount: options.maxSubscriptionsPerAccount ?? 5_000,
    hearsAll: options.hearsAll ?? (() => db.kind === 'embedded'),
  });
  const connections = openTestConnections({ db, events, log }, options.instanceId);
  const services: Services = {
    db,
    events,
    live,
    log,
    keys: KEYS,
    throttle: createThrottle(10),
    now: () => new Date(),
    publicUrl: () => 'http://localhost',
    sessions: { accessSeconds: 900, refreshSeconds: 3_600, lpfSeconds: 3_600 },
    closeConnections: () => 0,
    connections,
    wallets: createWallets({}),
    wakeMail: () => {},
    webhookTarget: () => undefined,
    exits: NO_EXITS,
  };
  const activity = createKeyActivity(services);
  const authenticator = createAuthenticator(services, { cacheMs: () => 1_000, activity });
  const executor = createExecutor({
    schema,
    services,
    authenticate: (token, from) => authenticator.bearer(token, from),
  });
  const sockets = createLiveSockets({ executor, live, log });
  const http = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    executor,
    metrics: createMetrics(),
    checks: {},
    log,
    onUpgrade: (request, socket, head) => sockets.upgrade(request, socket, head),
  });
  return {
    services,
    connections,
    executor,
    sockets,
    http,
    url: `http://127.0.0.1:${http.address.port}`,
    async [Symbol.asyncDispose]() {
      await sockets.close();
      await http.close();
      authenticator.close();
      await activity.close();
      await connections[Symbol.asyncDispose]();
      live.close();
    },
  };
}

const SEQ = sql('testAccountNumber', 'select seq from account where id = $1');
const KEYS = deriveKeys(Buffer.alloc(32, 7));

/** An account with credit and keys, and what its relays settle. */
export class Customer {
  readonly accountId: bigint;
  readonly keys: readonly { readonly id: bigint; readonly secret: string }[];
  readonly #db: Database;
  readonly #instance: string;
  readonly #seqs = new Map<bigint, bigint>();

  private constructor(db: Database, accountId: bigint, keys: Customer['keys'], instance: string) {
    this.#db = db;
    this.accountId = accountId;
    this.keys = keys;
    this.#instance = instance;
  }

  static async create(db: Database, { credit = 10n ** 15n, keys = 1 } = {}): Promise<Customer> {
    const accountId = await newAccount(db, credit);
    const made: { id: bigint; secret: string }[] = [];
    for (let index = 0; index < keys; index += 1) {
      const secret = newApiKeySecret();
      const key = await db.transaction((tx) =>
        insertApiKey(tx, KEYS, { userId: accountId, name: `key ${index}`, secret, limits: {} }),
      );
      made.push({ id: key.id, secret });
    }
    const instance = randomUUID();
    await openInstance(db, instance);
    return new Customer(db, accountId, made, instance);
  }

  key(index = 0): { readonly id: bigint; readonly secret: string } {
    const key = this.keys[index];
    if (key === undefined) throw new RangeError(`no key ${index}`);
    return key;
  }

  /** The account's number now. */
  async seq(): Promise<bigint> {
    const [row] = await this.#db.query<{ seq: bigint }>(SEQ, [this.accountId]);
    if (row === undefined) throw new Error('no account');
    return row.seq;
  }

  /** Settles bytes of one key, as a meter does. @param events where to publish; absent: nobody is told */
  async use(events: Events | undefined, { key = 0, product = 'SHARED', up = 0n, down = 0n }: Usage): Promise<void> {
    const { id: keyId } = this.key(key);
    let seq = this.#seqs.get(keyId) ?? 0n;
    const want = 10n ** 12n;
    if (seq === 0n) await tick(this.#db, this.#instance, [{ keyId, seq: (seq += 1n), want }], []);
    const line = { keyId, product, hour: hourStart(new Date()), up, down };
    const result = await tick(this.#db, this.#instance, [{ keyId, seq: (seq += 1n), want }], [line]);
    this.#seqs.set(keyId, seq);
    if (result.answers[0]?.outcome !== 'APPLIED')
      throw new Error(`tick: ${JSON.stringify(result.answers[0]?.outcome)}`);
    events?.publish('accountEvents', result.events);
  }

  async deposit(events: Events | undefined, amount: bigint): Promise<void> {
    const posting = {
      id: randomUUID(),
      accountId: this.accountId,
      kind: 'DEPOSIT',
      contra: 'CUSTODY',
      amount,
    } as const;
    const { events: made } = await post(this.#db, posting);
    events?.publish('accountEvents', made);
  }
}

export interface Usage {
  readonly key?: number;
  readonly product?: Product;
  readonly up?: bigint;
  readonly down?: bigint;
}

/** Waits until `done` holds; looks every few milliseconds. */
export async function eventually(done: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!done()) {
    if (Date.now() > deadline) throw new Error('did not happen in time');
    await delay(5);
  }
}

export { openTestDatabase };
