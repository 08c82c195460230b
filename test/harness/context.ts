import { randomBytes, randomUUID } from 'node:crypto';

import { graphql, type ExecutionResult } from 'graphql';

import { createWallets } from '../../src/chain/wallets.ts';
import type { OperationContext, Services, Viewer, ViewerContext } from '../../src/context.ts';
import { deriveKeys } from '../../src/crypto.ts';
import { sql } from '../../src/database/sql.ts';
import { createFence } from '../../src/egress.ts';
import { localEvents, type EventMap, type EventName } from '../../src/events.ts';
import { createLiveUsage } from '../../src/live/live.ts';
import { createLogger } from '../../src/log.ts';
import type { KeyMembers } from '../../src/proxy/keyMembers.ts';
import { createAccount } from '../../src/resolvers/accounts/createAccount.ts';
import type { UserRow } from '../../src/resolvers/accounts/rows.ts';
import { createApiKey } from '../../src/resolvers/apiKeys/createApiKey.ts';
import type { KeyRow } from '../../src/resolvers/apiKeys/rows.ts';
import { openInstance } from '../../src/resolvers/ledger/open.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { schema } from '../../src/schema/index.ts';
import { createThrottle } from '../../src/throttle.ts';
import { hourStart, PRICE_PER_BYTE, type Product } from '../../src/units.ts';
import { createWebhookTarget } from '../../src/webhooks/target.ts';
import { openTestDatabase, type TestDatabase } from './database.ts';
import { openExits, type TestExits } from './exits.ts';
import { openTestConnections } from './openConnections.ts';

export const PASSWORD = 'correct horse battery';
const CLIENT = '127.0.0.1';
const MAX_FAILURES = 10;
const MAX_SUBSCRIPTIONS = 100;

/** What operations need, on a database of its own, without listeners. */
export interface TestServices extends Services, AsyncDisposable {
  readonly db: TestDatabase;
  readonly exits: TestExits;
  /** Keys whose connections were to be closed, in order. */
  readonly closed: bigint[];
  /** Proxied connections that are open. */
  readonly members: KeyMembers;
  /** Every event published so far. */
  readonly published: { readonly name: EventName; readonly event: EventMap[EventName] }[];
}

/**
 * @param now clock of the operations; the database has its own
 * @param server where the database must be, for tests that need several connections
 */
export async function openTestServices(now: () => Date = () => new Date(), server?: string): Promise<TestServices> {
  const db = await openTestDatabase(server);
  const log = createLogger('silent');
  const local = localEvents((error) => {
    throw error;
  });
  const published: TestServices['published'] = [];
  const events: Services['events'] = {
    ...local,
    publish(name, event) {
      published.push({ name, event });
      local.publish(name, event);
    },
  };
  const hearsAll = (): boolean => db.kind === 'embedded';
  const live = createLiveUsage({ db, events, log, hearsAll, maxSubscriptionsPerAccount: MAX_SUBSCRIPTIONS });
  const closed: bigint[] = [];
  const connections = openTestConnections({ db, events, log });
  const keys = deriveKeys(randomBytes(32));
  return {
    db,
    events,
    keys,
    log,
    throttle: createThrottle(MAX_FAILURES),
    now,
    publicUrl: () => 'http://localhost:4000',
    sessions: { accessSeconds: 900, refreshSeconds: 30 * 86_400, lpfSeconds: 7 * 86_400 },
    closeConnections: (keyId) => closed.push(keyId),
    connections,
    members: connections.members,
    wallets: createWallets({}),
    wakeMail: () => {},
    webhookTarget: createWebhookTarget(createFence({ allow: ['127.0.0.0/8'] })),
    exits: openExits({ db, events, keys, log }),
    live,
    closed,
    published,
    async [Symbol.asyncDispose]() {
      live.close();
      await db.close();
    },
  };
}

/** A context of somebody, or of nobody. */
export function contextOf(services: Services, viewer: Viewer | null, clientAddress = CLIENT): OperationContext {
  return { ...services, viewer, clientAddress };
}

/** A session of a user, without the token. */
export function sessionOf(user: Pick<UserRow, 'id' | 'role'>): Viewer {
  return {
    kind: 'SESSION',
    userId: user.id,
    role: user.role,
    permissions: [],
    scopes: ['PROXY', 'READ', 'MANAGE'],
    keyId: null,
    sessionId: null,
  };
}

/** Whoever presents an API key. */
export function viewerOf(user: Pick<UserRow, 'id' | 'role'>, key: Pick<KeyRow, 'id'>): Viewer {
  return {
    kind: 'KEY',
    userId: user.id,
    role: user.role,
    permissions: [],
    scopes: ['PROXY', 'READ', 'MANAGE'],
    keyId: key.id,
    sessionId: null,
  };
}

export function asSession(services: Services, user: Pick<UserRow, 'id' | 'role'>): ViewerContext {
  return { ...services, viewer: sessionOf(user), clientAddress: CLIENT };
}

export interface TestAccount {
  readonly user: UserRow;
  readonly apiKey: KeyRow;
  readonly secret: string;
  /** As its session. */
  readonly ctx: ViewerContext;
}

let made = 0;

/** A new account with credit (nano-credits) and one API key. */
export async function makeAccount(
  services: Services,
  { credits = 0n, role = 'USER' }: { credits?: bigint; role?: UserRow['role'] } = {},
): Promise<TestAccount> {
  made += 1;
  const operator = asSession(services, { id: 0n, role: 'ADMIN' });
  const email = `person-${made}@example.com`;
  const { user } = await createAccount(operator, { email, password: PASSWORD, role, credits });
  const ctx = asSession(services, user);
  return { user, ...(await createApiKey(ctx, { name: 'test' })), ctx };
}

/** Runs a document against the real schema. Caches hang on the context, so each operation has its own. */
export function run(
  ctx: OperationContext,
  source: string,
  variableValues: Readonly<Record<string, unknown>> = {},
): Promise<ExecutionResult> {
  return graphql({ schema, source, variableValues, contextValue: { ...ctx } });
}

/** Lets a key spend as a proxy would: a lease is granted, settled and given back. */
export async function spend(
  { db }: Pick<Services, 'db'>,
  keyId: bigint,
  line: { readonly product: Product; readonly up: bigint; readonly down: bigint; readonly at: Date },
): Promise<void> {
  const instanceId = randomUUID();
  const want = (line.up + line.down) * PRICE_PER_BYTE[line.product];
  const hour = hourStart(line.at);
  await openInstance(db, instanceId, line.at);
  const granted = await tick(db, instanceId, [{ keyId, seq: 1n, want }], [], line.at);
  if (granted.answers[0]?.granted !== want) throw new Error(`the lease was not granted: ${granted.answers[0]?.reason}`);
  await tick(db, instanceId, [{ keyId, seq: 2n, want: 0n }], [{ keyId, ...line, hour }], line.at);
}

/** A line of the audit log. */
export interface AuditLine {
  readonly action: string;
  readonly actor_id: bigint | null;
  readonly key_id: bigint | null;
  readonly session_id: string | null;
  readonly address: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

const RECORDS = sql(
  'testAuditLog',
  `select action, actor_id, key_id, session_id::text as session_id, address, detail
   from audit_log where account_id = $1 order by id`,
);

/** What stands on record about an account, the oldest first. */
export function recordsOf({ db }: Pick<Services, 'db'>, accountId: bigint): Promise<AuditLine[]> {
  return db.query<AuditLine>(RECORDS, [accountId]);
}
