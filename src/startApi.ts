import { lpf } from '../rest-compat/dialects/lpf.ts';
import { createRestHandler } from '../rest-compat/handler.ts';
import type { Config } from './config.ts';
import type { Services } from './context.ts';
import { sql } from './database/sql.ts';
import { registerGauges } from './gauges.ts';
import { createExecutor } from './graphql/executor.ts';
import { createMetrics } from './http/metrics.ts';
import { startHttpServer, type HttpServer } from './http/server.ts';
import { FORGETTING_JOBS } from './jobs/forget.ts';
import { startJobs } from './jobs/job.ts';
import { LEDGER_JOBS } from './jobs/ledger.ts';
import { createLiveSockets } from './live/websocket.ts';
import type { Metering } from './metering/metering.ts';
import type { Proxy } from './proxy/server.ts';
import type { Authenticator } from './resolvers/auth/authenticate.ts';
import { INSTANCE_TTL_MS } from './resolvers/ledger/upkeep.ts';
import { schema } from './schema/index.ts';
import type { Teardown } from './teardown.ts';

const PING = sql('ping', 'select 1 as one');

/** Starts GraphQL, REST, probes, metrics and the ledger's upkeep. */
export async function startApi(
  config: Config,
  services: Services,
  authenticator: Authenticator,
  parts: { readonly metering: Metering; readonly proxy: Proxy },
  teardown: Teardown,
): Promise<Pick<HttpServer, 'address' | 'drain'>> {
  const { db, live, log } = services;
  const metrics = createMetrics();
  const executor = createExecutor({
    schema,
    services,
    authenticate: (token, clientAddress) => authenticator.bearer(token, clientAddress),
    onOperation: metrics.countOperation,
  });
  const rest = createRestHandler({
    executor,
    dialects: [lpf],
    publicUrl: services.publicUrl,
  });
  const sockets = createLiveSockets({ executor, live, log });
  let drift = 0n;
  registerGauges(metrics, { db, ...parts, exits: services.exits, sockets, drift: () => drift });
  const jobs = startJobs([...LEDGER_JOBS, ...FORGETTING_JOBS], {
    db,
    log,
    mayJudgeOthers: () => parts.metering.stats().steadyMs >= INSTANCE_TTL_MS,
    onLedgerCheck: (found) => (drift = found),
  });
  teardown.add('jobs', () => jobs.stop());
  const server = await startHttpServer({
    host: config.HOST,
    port: config.PORT,
    executor,
    metrics,
    log,
    rest,
    trustedProxies: config.TRUSTED_PROXIES,
    onUpgrade: (request, socket, head) => sockets.upgrade(request, socket, head),
    checks: {
      database: async () => void (await db.query(PING)),
      metering: () => {
        if (!parts.metering.stats().forwarding) throw new Error('no heartbeat');
      },
    },
  });
  teardown.add('HTTP', async () => {
    await sockets.close();
    await server.close();
  });
  return server;
}
