import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, nano, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasPostgres, hasRedis, postgres, redis, type PostgresServer } from '../harness/services.ts';
import { openUsageStream } from '../harness/usageStream.ts';

const OTHER_INSTANCE_MS = 2_000;

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
    // Both boot at once on an empty database: one migrates and makes the first account, once.
    [first, second] = await Promise.all([startServer({ env }), startServer({ env })]);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    await events?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test('one of them made the first account', () => {
    expect([first.welcome, second.welcome].filter((text) => text.includes('API key'))).toHaveLength(1);
  });

  test('traffic through both is in the bill, and in a subscription on one of them', async () => {
    const customer = await newCustomer(first, 10n ** 9n);
    await using stream = await openUsageStream({ transport: 'websocket', http: first.ready.http, token: customer.key });
    const before = origin.count();
    await Promise.all(
      [first, second].flatMap(({ ready }) =>
        Array.from({ length: 10 }, (_, index) =>
          curl.download(`${customer.key}:x@${ready.socksShared}`, origin.url(`/bytes/${100_000 + index}`)),
        ),
      ),
    );
    await origin.idle();
    const up = origin.count().up - before.up;
    const down = origin.count().down - before.down;
    const credits = (up + down) * PRICE_PER_BYTE.SHARED;
    await stream.until(() => stream.totals().credits >= credits);
    expect(stream.totals()).toEqual({ up, down, credits });
    for (const server of [first, second]) expect(await balanceOf(server, customer.key)).toBe(10n ** 9n - credits);
    const rest = await second.rest<{ balance: number }>('GET', '/keys/balance', { credential: customer.key });
    expect(nano(rest.body.balance)).toBe(10n ** 9n - credits);
  });

  test('both pulling on one credit deliver no byte too many, and leave less than the price of one', async () => {
    const bytes = 5_000_011n;
    const customer = await newCustomer(first, bytes * PRICE_PER_BYTE.SHARED);
    const before = origin.count();
    const streams = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        endlessStream((index % 2 === 0 ? first : second).ready.socksShared, customer.key, origin),
      ),
    );
    await Promise.all(streams.map((stream) => stream.ended));
    await origin.idle();
    // What a client sent may have been held back: up is what came to the origin.
    const up = origin.count().up - before.up;
    const delivered = streams.reduce((sum, stream) => sum + BigInt(stream.received()), up);
    expect(delivered).toBeLessThanOrEqual(bytes);
    await expect.poll(() => balanceOf(first, customer.key), { timeout: 5_000 }).toBeLessThan(PRICE_PER_BYTE.SHARED);
    expect(await ledgerCheck(second)).toEqual({ drift: '0', violations: [] });
  });

  test('a key revoked on one ends streams, proxied and live, on the other', async () => {
    const customer = await newCustomer(first, 10n ** 10n);
    const tunnel = await endlessStream(second.ready.socksShared, customer.key, origin);
    await using live = await openUsageStream({ transport: 'websocket', http: second.ready.http, token: customer.key });
    await tunnel.flowing;
    const started = Date.now();
    await first.graphql(
      'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { __typename } }',
      { id: customer.keyId },
      customer.token,
    );
    await tunnel.ended;
    await expect.poll(() => live.ended(), { timeout: OTHER_INSTANCE_MS }).toBeDefined();
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS);
    const status = async () => (await second.rest('GET', '/usage', { credential: customer.key })).status;
    await expect.poll(status, { timeout: OTHER_INSTANCE_MS - (Date.now() - started) }).toBe(401);
  });

  test('one of them is killed: its leases return, the other goes on, nothing is lost', async () => {
    const customer = await newCustomer(first, 10n ** 11n);
    const streams = await Promise.all(
      [first, second].map(({ ready }) => endlessStream(ready.socksShared, customer.key, origin)),
    );
    await Promise.all(streams.map((stream) => stream.flowing));
    await second.kill();
    const [alive] = streams;
    const received = alive?.received() ?? 0;
    await expect.poll(() => alive?.received(), { timeout: 5_000 }).toBeGreaterThan(received);
    alive?.socket.destroy();
    const reserved = async () => (await metric(first, 'passerelle_reserved_nanocredits')) ?? -1;
    await expect.poll(reserved, { timeout: 30_000, interval: 500 }).toBe(0);
    expect(await ledgerCheck(first)).toEqual({ drift: '0', violations: [] });
    await second.start();
    expect(await curl.download(`${customer.key}:x@${second.ready.socksShared}`, origin.url('/bytes/1000'))).toBe(1_000);
  }, 60_000);
}

async function metric(server: TestServer, name: string): Promise<number | undefined> {
  const { body } = await server.rest<string>('GET', '/metrics');
  const line = body.split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}
