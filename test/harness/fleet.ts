import { afterAll, beforeAll, describe } from 'vitest';

import { startServer, type ServerOptions, type TestServer } from './server.ts';
import { hasPostgres, hasRedis, postgres, redis, type PostgresServer } from './services.ts';

/** Milliseconds within which one server of a fleet obeys another, with or without Redis. */
export const OTHER_INSTANCE_MS = 2_000;

/** Two servers on one database. There when a test runs, not when it is described. */
export interface Fleet {
  readonly first: TestServer;
  readonly second: TestServer;
}

/** Describes the tests twice: with Redis and without. @param env of both servers, beside the services' addresses */
export function describeFleets(tests: (fleet: Fleet) => void, env: ServerOptions['env'] = {}): void {
  const withRedis = 'two servers on one PostgreSQL, with Redis';
  describe.skipIf(!hasPostgres() || !hasRedis())(withRedis, () => tests(setUp(true, env)));
  describe.skipIf(!hasPostgres())('two servers on one PostgreSQL, without Redis', () => tests(setUp(false, env)));
}

function setUp(withRedis: boolean, common: ServerOptions['env']): Fleet {
  let database: PostgresServer | undefined;
  let events: Awaited<ReturnType<typeof redis>>;
  let servers: readonly TestServer[] = [];
  beforeAll(async () => {
    database = await postgres();
    events = withRedis ? await redis() : undefined;
    const env = { ...common, DATABASE_URL: await database?.createDatabase(), REDIS_URL: events?.url };
    // Both boot at once on an empty database: one migrates and makes the first account, once.
    servers = await Promise.all([startServer({ env }), startServer({ env })]);
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await events?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });
  const running = (index: number): TestServer => {
    const server = servers[index];
    if (server === undefined) throw new Error('the fleet is not running');
    return server;
  };
  return {
    get first() {
      return running(0);
    },
    get second() {
      return running(1);
    },
  };
}
