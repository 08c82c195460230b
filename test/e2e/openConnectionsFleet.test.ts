import { once } from 'node:events';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { closeConnection, listConnections, openConnectionStream } from '../harness/connectionStream.ts';
import { newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasPostgres, hasRedis, postgres, redis, type PostgresServer } from '../harness/services.ts';
import { connectThrough } from '../harness/tunnel.ts';

/** Within which a server of the fleet obeys another. */
const OTHER_INSTANCE_MS = 2_000;
const CREDIT = 10n ** 10n;

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

describe.skipIf(!hasPostgres() || !hasRedis())('two servers on one PostgreSQL, with Redis', () => fleet(true));
describe.skipIf(!hasPostgres())('two servers on one PostgreSQL, without Redis', () => fleet(false));

function fleet(withRedis: boolean): void {
  let database: PostgresServer | undefined;
  let events: Awaited<ReturnType<typeof redis>>;
  let first: TestServer;
  let second: TestServer;

  beforeAll(async () => {
    database = await postgres();
    events = withRedis ? await redis() : undefined;
    const env = { DATABASE_URL: await database?.createDatabase(), REDIS_URL: events?.url };
    [first, second] = await Promise.all([startServer({ env }), startServer({ env })]);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    await events?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test('each shows the connections of both, in one order, and closes those of the other', async () => {
    const customer = await newCustomer(first, CREDIT);
    const stranger = await newCustomer(second, CREDIT);
    const sockets = [];
    for (const { ready } of [first, second, first, second]) {
      sockets.push(await connectThrough(ready.socksShared, customer.key, '127.0.0.1', origin.port));
    }
    const started = Date.now();
    const seen = await listConnections(first, customer);
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS);
    expect([seen.totalCount, seen.complete]).toEqual([4, true]);
    const ids = seen.edges.map(({ node }) => node.id);
    expect((await listConnections(second, customer)).edges.map(({ node }) => node.id)).toEqual(ids);
    expect((await listConnections(second, stranger)).totalCount).toBe(0);
    // The second and the fourth are the other server's.
    for (const index of [1, 3]) {
      expect(await closeConnection(first, stranger, ids[index] ?? '')).toEqual({ code: 'NOT_FOUND' });
      const socket = sockets[index];
      const reset = socket && once(socket, 'error');
      const asked = Date.now();
      expect(await closeConnection(first, customer, ids[index] ?? '')).toEqual({ id: ids[index] });
      expect(await reset).toMatchObject([{ code: 'ECONNRESET' }]);
      expect(Date.now() - asked).toBeLessThan(OTHER_INSTANCE_MS);
      expect(await closeConnection(first, customer, ids[index] ?? '')).toEqual({ code: 'NOT_FOUND' });
    }
    expect((await listConnections(second, customer)).edges.map(({ node }) => node.id)).toEqual([ids[0], ids[2]]);
    for (const socket of sockets) socket.destroy();
  });

  test.each(['websocket', 'sse'] as const)(
    'a stream over %s on one follows what happens on the other',
    async (transport) => {
      const customer = await newCustomer(first, CREDIT);
      await using live = await openConnectionStream({ transport, http: first.ready.http, token: customer.token });
      const tunnel = await endlessStream(second.ready.socksShared, customer.key, origin);
      await live.until(() => Number(live.open()[0]?.bytesDown) > 100_000);
      const [before] = live.open();
      await live.until(() => Number(live.open()[0]?.bytesDown) > Number(before?.bytesDown));
      expect(live.events.at(-1)?.complete).toBe(true);
      tunnel.socket.destroy();
      await live.until(() => live.open().length === 0);
    },
  );

  test('of a server that is stopped nothing is shown any more', async () => {
    const customer = await newCustomer(first, CREDIT);
    const here = await connectThrough(first.ready.socksShared, customer.key, '127.0.0.1', origin.port);
    const there = await connectThrough(second.ready.socksShared, customer.key, '127.0.0.1', origin.port);
    expect((await listConnections(first, customer)).totalCount).toBe(2);
    there.on('error', () => undefined);
    const [, lost] = (await listConnections(first, customer)).edges;
    await second.kill();
    const started = Date.now();
    // It may only be slow: that is not known yet, and is told.
    expect(await listConnections(first, customer)).toMatchObject({ totalCount: 1, complete: false });
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS + 500);
    // Nor is it whether it was closed.
    expect(await closeConnection(first, customer, lost?.node.id ?? '')).toBe('UNAVAILABLE');
    await expect.poll(async () => (await listConnections(first, customer)).complete, { timeout: 20_000 }).toBe(true);
    expect(await closeConnection(first, customer, lost?.node.id ?? '')).toEqual({ code: 'NOT_FOUND' });
    here.destroy();
    await second.start();
  }, 60_000);
}
