import { randomUUID } from 'node:crypto';

import type { Config } from './config.ts';
import type { Services } from './context.ts';
import { createFence, type Fence, type Listener } from './egress.ts';
import { REFUSED_FOR } from './keyRules.ts';
import { createMetering, type Metering } from './metering/metering.ts';
import { createProxy, type Proxy } from './proxy/server.ts';
import type { KeyActivity } from './resolvers/apiKeys/keyActivity.ts';
import type { Authenticator } from './resolvers/auth/authenticate.ts';
import type { ExitUsage } from './resolvers/exits/exitUsage.ts';
import { openInstance } from './resolvers/ledger/open.ts';
import { expire } from './resolvers/ledger/upkeep.ts';

/** Upstream proxies are the operator's choice: only our own listeners are none. */
const EVERYTHING = ['0.0.0.0/0', '::/0'];

/** The proxy with everything that decides for it; it does not listen yet. */
export function dataPlane(
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
    forwardUntil: parts.metering.forwardUntil,
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

/**
 * Registers this process as an instance of the fleet. Embedded, every earlier instance is surely dead.
 * @param joined hears the id, and another one after this instance was taken for dead
 */
export async function joinFleet(
  { db, events, live, log }: Services,
  joined: (instanceId: string) => void,
): Promise<Metering> {
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
