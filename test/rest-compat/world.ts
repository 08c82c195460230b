import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { createRestHandler } from '../../rest-compat/handler.ts';
import { createWallets } from '../../src/chain/wallets.ts';
import type { Services } from '../../src/context.ts';
import { deriveKeys, sha256 } from '../../src/crypto.ts';
import { sql } from '../../src/database/sql.ts';
import { createFence } from '../../src/egress.ts';
import { localEvents } from '../../src/events.ts';
import { createExecutor, type Executor } from '../../src/graphql/executor.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { createLiveUsage } from '../../src/live/live.ts';
import { createLogger } from '../../src/log.ts';
import { giveFirstCredit, insertAccount } from '../../src/resolvers/accounts/insertAccount.ts';
import { insertApiKey } from '../../src/resolvers/apiKeys/insertApiKey.ts';
import { createKeyActivity } from '../../src/resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator } from '../../src/resolvers/auth/authenticate.ts';
import { hashPassword } from '../../src/resolvers/auth/password.ts';
import { insertRegistration } from '../../src/resolvers/auth/registrations.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { openInstance } from '../../src/resolvers/ledger/open.ts';
import { post } from '../../src/resolvers/ledger/post.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { schema } from '../../src/schema/index.ts';
import { createThrottle } from '../../src/throttle.ts';
import { NANO } from '../../src/units.ts';
import { createWebhookTarget } from '../../src/webhooks/target.ts';
import { openTestDatabase } from '../harness/database.ts';
import { NO_EXITS } from '../harness/exits.ts';
import { openTestConnections } from '../harness/openConnections.ts';

/** The clock of the world stands still: Saturday, the date of the reference's samples. */
export const NOW = new Date('2026-03-28T12:30:00Z');
export const PASSWORD = 'correct horse battery staple';
/** Customer's keys 1 (limited, has traffic), 2 (revoked) and the stranger's key 3. */
export const SECRETS = {
  prod: `lpf_${'1f0553c8'.repeat(4)}`,
  old: `lpf_${'00000000'.repeat(4)}`,
  stranger: `lpf_${'feedbeef'.repeat(4)}`,
} as const;

/** As mails would carry them: one confirms a sign-up, one resets the customer's password. */
export const MAIL_TOKENS = { verify: 'jeton-de-verification', reset: 'jeton-de-reinitialisation' } as const;

/** A server on 127.0.0.1 with two accounts, keys, deposits and traffic, the same in every run. */
export interface World extends AsyncDisposable {
  readonly http: string;
  readonly executor: Executor;
  readonly services: Services;
  /** Everything logged so far. */
  readonly logged: string[];
}

export async function openWorld(): Promise<World> {
  const db = await openTestDatabase();
  const logged: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const log = createLogger('info', sink);
  const events = localEvents((error) => log.error(error));
  const live = createLiveUsage({ db, events, log, hearsAll: () => true, maxSubscriptionsPerAccount: 10 });
  const services: Services = {
    ...{ db, events, log, live, throttle: createThrottle(10), now: () => NOW },
    keys: deriveKeys(Buffer.alloc(32, 7)),
    publicUrl: () => 'http://localhost:4000',
    sessions: { accessSeconds: 900, refreshSeconds: 30 * 86_400, lpfSeconds: 7 * 86_400 },
    closeConnections: () => 0,
    connections: openTestConnections({ db, events, log }),
    wallets: createWallets({}),
    wakeMail: () => {},
    webhookTarget: createWebhookTarget(createFence({ allow: ['127.0.0.0/8'] })),
    exits: NO_EXITS,
  };
  await populate(services);
  const activity = createKeyActivity(services);
  const authenticator = createAuthenticator(services, { cacheMs: () => 30_000, activity });
  const authenticate: Parameters<typeof createExecutor>[0]['authenticate'] = (token, address) =>
    authenticator.bearer(token, address);
  const executor = createExecutor({ schema, services, authenticate });
  const rest = createRestHandler({ executor, dialects: [lpf], publicUrl: services.publicUrl });
  const server = await startHttpServer({
    ...{ host: '127.0.0.1', port: 0, executor, metrics: createMetrics(), checks: {}, log, rest },
  });
  return {
    ...{ http: `http://127.0.0.1:${server.address.port}`, executor, services, logged },
    async [Symbol.asyncDispose]() {
      await server.close();
      authenticator.close();
      await activity.close();
      live.close();
      await db.close();
    },
  };
}

async function populate({ db, events, keys }: Services): Promise<void> {
  const passwordHash = await hashPassword(PASSWORD);
  const account = (email: string) => ({ email, username: null, passwordHash, role: 'USER' as const });
  await db.transaction(async (tx) => {
    const [customer, stranger] = [
      await insertAccount(tx, account('user@example.com')),
      await insertAccount(tx, account('stranger@example.com')),
    ];
    await giveFirstCredit(tx, events.publish, stranger, { amount: NANO, contra: 'PROMO', reason: 'Welcome' });
    const key = (userId: bigint, name: string, secret: string, limits = {}) =>
      insertApiKey(tx, keys, { userId, name, secret, limits });
    await key(customer, 'Prod', SECRETS.prod, { day: 100n * NANO, week: 250_500_000_000n });
    await key(customer, 'Ancienne « clé »', SECRETS.old);
    await key(stranger, 'Foreign', SECRETS.stranger);
    await tx.query(SEED_DATES, [NOW]);
    const address = '127.0.0.1';
    const signUp = {
      email: 'pending@example.com',
      username: 'pending',
      passwordHash,
      language: 'FR',
      address,
    } as const;
    const registration = await insertRegistration(tx, signUp);
    await tx.query(SEED_TOKENS, [sha256(MAIL_TOKENS.verify), registration, sha256(MAIL_TOKENS.reset), customer]);
    const deposit = { accountId: customer, kind: 'DEPOSIT' } as const;
    const hour = (count: number): Date => new Date(NOW.getTime() - count * 3_600_000);
    await post(
      tx,
      { ...deposit, id: 'card-1', contra: 'CARD', amount: 50n * NANO, ref: 'stripe:0:pi_abc123' },
      hour(50),
    );
    await post(
      tx,
      { ...deposit, id: 'usdt-1', contra: 'CUSTODY', amount: 150n * NANO, ref: 'usdt:137:0xfeed' },
      hour(2),
    );
  });
  await flow(db);
}

const SEED_DATES = sql(
  'testSeedDates',
  `update api_key_profile set created_at = timestamptz '2026-03-01T08:00:00.250Z',
     last_used_at = case when id = 1 then $1::timestamptz end,
     revoked_at = case when id = 2 then timestamptz '2026-03-02T08:00:00Z' end`,
);
const SEED_TOKENS = sql(
  'testSeedTokens',
  `insert into mail_token (hash, registration_id, user_id, expires_at)
   values ($1, $2, null, now() + interval '1 hour'), ($3, null, $4, now() + interval '1 hour')`,
);

/** Traffic of key 1: 12.345678903 credits of SHARED an hour ago and 5 of DEDICATED now. */
async function flow(db: Services['db']): Promise<void> {
  const instance = randomUUID();
  const line = { keyId: 1n, up: 0n } as const;
  await openInstance(db, instance, NOW);
  const at = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000);
  const hour = (text: string): Date => new Date(`2026-03-28T${text}:00:00Z`);
  await tick(db, instance, [{ keyId: 1n, seq: 1n, want: 40n * NANO }], [], at(-80));
  const shared = { ...line, product: 'SHARED', hour: hour('11'), down: 4_115_226_301n } as const;
  await tick(db, instance, [{ keyId: 1n, seq: 2n, want: 20n * NANO }], [shared], at(-60));
  const dedicated = { ...line, product: 'DEDICATED', hour: hour('12'), down: 625_000_000n } as const;
  await tick(db, instance, [{ keyId: 1n, seq: 3n, want: 0n }], [dedicated], NOW);
  // Below what was spent: nothing remains of the month.
  await limits(db, { keyId: 1n }, { month: 10n * NANO }, NOW);
}
