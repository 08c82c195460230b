import path from 'node:path';

import { createWallets } from './chain/wallets.ts';
import type { Config } from './config.ts';
import type { Services } from './context.ts';
import { deriveKeys } from './crypto.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createFence, type Fence, type Listener } from './egress.ts';
import { createConnections } from './live/connections/connections.ts';
import { createLiveUsage } from './live/live.ts';
import type { Logger } from './log.ts';
import { openEvents, throttleRedis } from './openEvents.ts';
import type { Proxy } from './proxy/server.ts';
import { createExitName } from './resolvers/exits/names.ts';
import type { Roster } from './resolvers/exits/roster.ts';
import { loadMasterKey } from './secrets.ts';
import type { Teardown } from './teardown.ts';
import { createThrottle } from './throttle.ts';
import { createWebhookTarget } from './webhooks/target.ts';

/** Seconds that session tokens live; the `lpf` dialect's come from the configuration. */
const ACCESS_SECONDS = 15 * 60;
const REFRESH_SECONDS = 30 * 86_400;

/** Parts that the services reach and that are made after them. */
export interface LaterParts {
  proxy?: Proxy;
  /** As the ledger knows this process. */
  instanceId?: string;
  roster?: Roster;
  httpPort?: number;
  wakeMail?: () => void;
}

/** What operations need, and what else is needed to make the rest of the server. */
export interface OpenServices {
  readonly services: Services;
  /** Whether every event is heard now, wherever it happens. */
  readonly hearsAll: () => boolean;
  readonly fence: Fence;
  /** Our own listeners, known once they listen: neither the proxy nor webhooks lead to them. */
  readonly own: Listener[];
  readonly parts: LaterParts;
}

/** Opens the database and events, and makes the services of them. */
export async function openServices(config: Config, log: Logger, teardown: Teardown): Promise<OpenServices> {
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
  const own: Listener[] = [];
  const fence = createFence({ allow: config.EGRESS_ALLOW, own: () => own });
  const parts: LaterParts = {};
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
  return { services, hearsAll, fence, own, parts };
}

function database(config: Config, log: Logger): Promise<Database> {
  return openDatabase({
    url: config.DATABASE_URL,
    dataDir: config.DATA_DIR,
    migrations: path.join(import.meta.dirname, '../prisma/migrations'),
    template: path.join(import.meta.dirname, '../prisma/template'),
    onError: (error) => log.warn({ err: error }, 'a database connection broke'),
  });
}
