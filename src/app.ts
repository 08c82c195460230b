import type { AddressInfo } from 'node:net';

import type { Config } from './config.ts';
import { dataPlane, joinFleet } from './dataPlane.ts';
import { createLogger, type Logger } from './log.ts';
import type { Metering } from './metering/metering.ts';
import { openServices } from './openServices.ts';
import type { Drained } from './proxy/server.ts';
import { firstAccount, type FirstAccount } from './resolvers/accounts/firstAccount.ts';
import { createKeyActivity } from './resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator } from './resolvers/auth/authenticate.ts';
import { createExitUsage } from './resolvers/exits/exitUsage.ts';
import { createRoster } from './resolvers/exits/roster.ts';
import { startApi } from './startApi.ts';
import { startMail } from './startMail.ts';
import { Teardown, type Failure } from './teardown.ts';
import { formatCredits, NANO } from './units.ts';
import { readyLine, welcome, type Addresses } from './welcome.ts';

/** How long a good credential is believed without asking, while changes are heard at once and while they are not. */
const HEARING_CACHE_MS = 30_000;
const DEAF_CACHE_MS = 1_000;

/** Credits of the first account where none are configured. */
const EMBEDDED_WELCOME_CREDITS = 10n * NANO;

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
  const { services, hearsAll, fence, own, parts } = await openServices(config, log, teardown);
  const { db } = services;
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
  let drained: Drained | undefined;
  teardown.add('metering', () => settleAll(metering, drained, log));
  await metering.start();
  const roster = createRoster(services, proxy.exits);
  parts.roster = roster;
  teardown.add('exits', () => roster.close());
  // Before the first connection: what is somebody's own is nobody else's for a moment either.
  await roster.start();
  const socks = await proxy.listen();
  teardown.add('proxy', async () => {
    drained = await proxy.drain(TUNNEL_DRAIN_MS);
  });
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

function announce(account: FirstAccount | undefined, addresses: Addresses, print: (text: string) => void): void {
  if (account !== undefined) print(welcome({ ...account, balance: formatCredits(account.credits) }, addresses));
  print(readyLine(addresses));
}

async function settleAll(metering: Metering, drained: Drained | undefined, log: Logger): Promise<void> {
  const { unsettledBytes } = await metering.drain(SETTLE_DRAIN_MS);
  if (unsettledBytes > 0) log.error({ unsettledBytes, ...drained }, 'these bytes could not be settled');
  else log.info({ ...drained }, 'everything is settled');
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
