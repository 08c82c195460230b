import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { createWallets } from './chain/wallets.ts';
import type { Config } from './config.ts';
import type { Services } from './context.ts';
import { deriveKeys } from './crypto.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createFence, type Fence, type Listener } from './egress.ts';
import { REFUSED_FOR } from './keyRules.ts';
import { createConnections } from './live/connections/connections.ts';
import { createLiveUsage } from './live/live.ts';
import { createLogger, type Logger } from './log.ts';
import { createMetering, type Metering } from './metering/metering.ts';
import { createProxy, type Proxy } from './proxy/server.ts';
import { firstAccount, type FirstAccount } from './resolvers/accounts/firstAccount.ts';
import { createKeyActivity, type KeyActivity } from './resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator, type Authenticator } from './resolvers/auth/authenticate.ts';
import { createExitUsage, type ExitUsage } from './resolvers/exits/exitUsage.ts';
import { createExitName } from './resolvers/exits/names.ts';
import { createRoster, type Roster } from './resolvers/exits/roster.ts';
import { openInstance } from './resolvers/ledger/open.ts';
import { expire } from './resolvers/ledger/upkeep.ts';
import { openEvents, throttleRedis } from './openEvents.ts';
import { loadMasterKey } from './secrets.ts';
import { startApi } from './startApi.ts';
import { startMail } from './startMail.ts';
import { Teardown, type Failure } from './teardown.ts';
import { createThrottle } from './throttle.ts';
import { formatCredits, NANO } from './units.ts';
import { createWebhookTarget } from './webhooks/target.ts';
import { readyLine, welcome, type Addresses } from './welcome.ts';

/** Seconds that session tokens live; the `lpf` dialect's come from the configuration. */
const ACCESS_SECONDS = 15 * 60;
const REFRESH_SECONDS = 30 * 86_400;

/** How long a good credential is believed without asking, while changes are heard at once and while they are not. */
const HEARING_CACHE_MS = 30_000;
const DEAF_CACHE_MS = 1_000;

/** Credits of the first account where none are configured. */
const EMBEDDED_WELCOME_CREDITS = 10n * NANO;

/** Upstream proxies are the operator's choice: only our own listeners are none. */
const EVERYTHING = ['0.0.0.0/0', '::/0'];

/** Shutdown: tunnels may end by themselves, then everything is settled. */
const TUNNEL_DRAIN_MS = 1_000;
const SETTLE_DRAIN_MS = 5_000;

/** A running server. */
export interface App {
  readonly addresses: Addresses;
  /** Stops accepting, settles every meter, closes everything. @throws when a part did not stop cleanly */
  stop(): Promise<void>;
}

/**
 * Builds each part once and starts it; what was started is stopped again when a later part fails.
 * @param print writes one block to standard output: the first account, the ready line
 */
export async function start(config: Config, print: (text: string) => void): Promise<App> {
  const log = createLogger(config.LOG_LEVEL);
  const teardown = new Teardown();
  try {
    return await compose(config, log, teardown, print);
  } catch (error) {
    logFailures(await teardown.run(), log);
    throw error;
  }
}

async function compose(config: Config, log: Logger, teardown: Teardown, print: (text: string) => void): Promise<App> {
  const db = await database(config, log);
  teardown.add('database', () => db.close());
  const { events, hearsOthers } = await openEvents(config, log, teardown);
  const hearsAll = (): boolean => db.kind === 'embedded' || hearsOthers();
  const live = createLiveUsage({
    db,
    events,
    log,
    maxSubscriptionsPerAccount: config.MAX_SUBSCRIPTIONS_PER_ACCOUNT,
    hearsAll,
  });
  teardown.add('live usage', () => live.close());
  // Our own listeners, known once they listen: neither the proxy nor webhooks lead to them.
  const own: Listener[] = [];
  const fence = createFence({ allow: config.EGRESS_ALLOW, own: () => own });
  const parts: { proxy?: Proxy; instanceId?: string; roster?: Roster; httpPort?: number; wakeMail?: () => void } = {};
  const connections = createConnections({
    ...{ db, events, log, shared: db.kind === 'server' },
    local: () => parts.proxy?.connections,
    instanceId: () => parts.instanceId,
  });
  teardown.add('connections', () => connections.close());
  const keys = deriveKeys(config.MASTER_KEY ?? loadMasterKey(config.DATA_DIR));
  const services: Services = {
    db,
    events,
    live,
    log,
    keys,
    throttle: createThrottle(config.AUTH_MAX_FAILURES, throttleRedis(config, teardown)),
    now: () => new Date(),
    publicUrl: () => config.PUBLIC_URL ?? `http://localhost:${parts.httpPort}`,
    sessions: { accessSeconds: ACCESS_SECONDS, refreshSeconds: REFRESH_SECONDS, lpfSeconds: config.LPF_SESSION_TTL },
    closeConnections: (keyId) => parts.proxy?.closeKey(keyId, 'KEY_REVOKED') ?? 0,
    connections,
    wallets: createWallets(config.CHAIN_RPC),
    wakeMail: () => parts.wakeMail?.(),
    webhookTarget: createWebhookTarget(fence),
    exits: {
      list: () => parts.roster?.list() ?? [],
      name: createExitName(keys),
      refresh: async () => parts.roster?.refresh(),
    },
  };
  const account = await firstAccount(services, {
    email: config.ADMIN_EMAIL,
    password: config.ADMIN_PASSWORD,
    apiKey: config.ADMIN_API_KEY,
    welcomeCredits: config.WELCOME_CREDITS ?? (db.kind === 'embedded' ? EMBEDDED_WELCOME_CREDITS : 0n),
  });
  const activity = createKeyActivity(services);
  teardown.add('key activity', () => activity.close());
  const cacheMs = (): number => (hearsAll() ? HEARING_CACHE_MS : DEAF_CACHE_MS);
  const authenticator = createAuthenticator(services, { cacheMs, activity });
  teardown.add('authenticator', () => authenticator.close());

  const metering = await joinFleet(services, (instanceId) => (parts.instanceId = instanceId));
  const exitUsage = createExitUsage(services);
  // Stopped when the last connection has ended.
  teardown.add('exit usage', () => exitUsage.close());
  const proxy = dataPlane(config, services, { authenticator, activity, exitUsage, metering, fence, own });
  parts.proxy = proxy;
  const api = await startApi(config, services, authenticator, { metering, proxy }, teardown);
  const http = api.address;
  parts.httpPort = http.port;
  parts.wakeMail = startMail(config, services, teardown);
  // Stopped before HTTP, so that subscribers still hear of the last bytes.
  teardown.add('metering', () => settleAll(metering, log));
  await metering.start();
  const roster = createRoster(services, proxy.exits);
  parts.roster = roster;
  teardown.add('exits', () => roster.close());
  // Before the first connection: what is somebody's own is nobody else's for a moment either.
  await roster.start();
  const socks = await proxy.listen();
  teardown.add('proxy', () => proxy.drain(TUNNEL_DRAIN_MS));
  teardown.add('readiness', () => api.drain());
  own.push(...[http, socks.SHARED, socks.DEDICATED].map(({ address, port }) => ({ address, port })));

  const addresses: Addresses = {
    http: `http://${hostPort(http)}`,
    socksShared: hostPort(socks.SHARED),
    socksDedicated: hostPort(socks.DEDICATED),
    browser: null,
  };
  announce(account, addresses, print);
  log.info({ ...addresses, relay: proxy.stats.relay }, 'ready');
  return { addresses, stop: () => stop(teardown, log) };
}

function database(config: Config, log: Logger): Promise<Database> {
  return openDatabase({
    url: config.DATABASE_URL,
    dataDir: config.DATA_DIR,
    migrations: path.join(import.meta.dirname, '../prisma/migrations'),
    template: path.join(import.meta.dirname, '../prisma/template.tar'),
    onError: (error) => log.warn({ err: error }, 'a database connection broke'),
  });
}

function announce(account: FirstAccount | undefined, addresses: Addresses, print: (text: string) => void): void {
  if (account !== undefined) print(welcome({ ...account, balance: formatCredits(account.credits) }, addresses));
  print(readyLine(addresses));
}

function dataPlane(
  config: Config,
  { live, log }: Services,
  parts: {
    readonly authenticator: Authenticator;
    readonly activity: KeyActivity;
    readonly exitUsage: ExitUsage;
    readonly metering: Metering;
    readonly fence: Fence;
    readonly own: readonly Listener[];
  },
): Proxy {
  return createProxy({
    host: config.HOST,
    ports: { SHARED: config.SOCKS_SHARED_PORT, DEDICATED: config.SOCKS_DEDICATED_PORT },
    authenticate: parts.authenticator.proxyKey,
    openSession: parts.metering.openSession,
    recordRefusal: parts.activity.refused,
    watchKey: ({ accountId: userId, ...key }, onDead, onRules) =>
      live.watchCredential(
        { ...key, userId, sessionId: null, follows: true },
        (cause) => onDead(REFUSED_FOR[cause]),
        onRules,
      ),
    departed: parts.exitUsage.departed,
    fence: parts.fence,
    exits: { SHARED: config.EXITS_SHARED, DEDICATED: config.EXITS_DEDICATED },
    resolveUpstream: createFence({ allow: EVERYTHING, own: () => parts.own }).resolve,
    log,
    limits: {
      idleTimeoutMs: config.SOCKS_IDLE_TIMEOUT * 1_000,
      maxConnectionsPerKey: config.MAX_CONNECTIONS_PER_KEY,
    },
    relay: { choice: config.RELAY, workers: config.RELAY_WORKERS },
  });
}

/** Registers this process as an instance of the fleet. Embedded, every earlier instance is surely dead. */
async function joinFleet({ db, events, live, log }: Services, joined: (instanceId: string) => void): Promise<Metering> {
  if (db.kind === 'embedded') await expire(db, 0);
  const register = async (): Promise<string> => {
    const instanceId = randomUUID();
    await openInstance(db, instanceId);
    joined(instanceId);
    return instanceId;
  };
  return createMetering({
    sql: db,
    events,
    instanceId: await register(),
    watched: live.watched,
    log,
    onFenced: register,
  });
}

async function settleAll(metering: Metering, log: Logger): Promise<void> {
  const { unsettledBytes } = await metering.drain(SETTLE_DRAIN_MS);
  if (unsettledBytes > 0) log.error({ unsettledBytes }, 'these bytes could not be settled');
}

async function stop(teardown: Teardown, log: Logger): Promise<void> {
  log.info('draining');
  const failures = await teardown.run((part, milliseconds) => log.debug({ part, milliseconds }, 'stopped'));
  logFailures(failures, log);
  if (failures.length > 0)
    throw new Error(`these parts did not stop cleanly: ${failures.map(({ name }) => name).join(', ')}`);
}

function logFailures(failures: readonly Failure[], log: Logger): void {
  for (const { name, error } of failures) log.error({ err: error, part: name }, 'a part did not stop cleanly');
}

/** `127.0.0.1:1080`, IPv6 as `[::1]:1080`. */
function hostPort({ address, port, family }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
