import { afterAll, beforeAll, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, nano, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { describeFleets, OTHER_INSTANCE_MS, type Fleet } from '../harness/fleet.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import type { TestServer } from '../harness/server.ts';
import { openUsageStream } from '../harness/usageStream.ts';

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

describeFleets(fleetTests);

function fleetTests(fleet: Fleet): void {
  test('one of them made the first account', () => {
    expect([fleet.first.welcome, fleet.second.welcome].filter((text) => text.includes('API key'))).toHaveLength(1);
  });

  test('traffic through both is in the bill, and in a subscription on one of them', async () => {
    const customer = await newCustomer(fleet.first, 10n ** 9n);
    await using stream = await openUsageStream({
      transport: 'websocket',
      http: fleet.first.ready.http,
      token: customer.key,
    });
    const before = origin.count();
    await Promise.all(
      [fleet.first, fleet.second].flatMap(({ ready }) =>
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
    for (const server of [fleet.first, fleet.second])
      expect(await balanceOf(server, customer.key)).toBe(10n ** 9n - credits);
    const rest = await fleet.second.rest<{ balance: number }>('GET', '/keys/balance', { credential: customer.key });
    expect(nano(rest.body.balance)).toBe(10n ** 9n - credits);
  });

  test('both pulling on one credit deliver no byte too many, and leave less than the price of one', async () => {
    const bytes = 5_000_011n;
    const customer = await newCustomer(fleet.first, bytes * PRICE_PER_BYTE.SHARED);
    const before = origin.count();
    const streams = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        endlessStream((index % 2 === 0 ? fleet.first : fleet.second).ready.socksShared, customer.key, origin),
      ),
    );
    await Promise.all(streams.map((stream) => stream.ended));
    await origin.idle();
    // What a client sent may have been held back: up is what came to the origin.
    const up = origin.count().up - before.up;
    const delivered = streams.reduce((sum, stream) => sum + BigInt(stream.received()), up);
    expect(delivered).toBeLessThanOrEqual(bytes);
    await expect
      .poll(() => balanceOf(fleet.first, customer.key), { timeout: 5_000 })
      .toBeLessThan(PRICE_PER_BYTE.SHARED);
    expect(await ledgerCheck(fleet.second)).toEqual({ drift: '0', violations: [] });
  });

  test('a key revoked on one ends streams, proxied and live, on the other', async () => {
    const customer = await newCustomer(fleet.first, 10n ** 10n);
    const tunnel = await endlessStream(fleet.second.ready.socksShared, customer.key, origin);
    await using live = await openUsageStream({
      transport: 'websocket',
      http: fleet.second.ready.http,
      token: customer.key,
    });
    await tunnel.flowing;
    const started = Date.now();
    await fleet.first.graphql(
      'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { __typename } }',
      { id: customer.keyId },
      customer.token,
    );
    await tunnel.ended;
    await expect.poll(() => live.ended(), { timeout: OTHER_INSTANCE_MS }).toBeDefined();
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS);
    const status = async () => (await fleet.second.rest('GET', '/usage', { credential: customer.key })).status;
    await expect.poll(status, { timeout: OTHER_INSTANCE_MS - (Date.now() - started) }).toBe(401);
  });

  test('one of them is killed: its leases return, the other goes on, nothing is lost', async () => {
    const customer = await newCustomer(fleet.first, 10n ** 11n);
    const streams = await Promise.all(
      [fleet.first, fleet.second].map(({ ready }) => endlessStream(ready.socksShared, customer.key, origin)),
    );
    await Promise.all(streams.map((stream) => stream.flowing));
    await fleet.second.kill();
    const [alive] = streams;
    const received = alive?.received() ?? 0;
    await expect.poll(() => alive?.received(), { timeout: 5_000 }).toBeGreaterThan(received);
    alive?.socket.destroy();
    const reserved = async () => (await metric(fleet.first, 'passerelle_reserved_nanocredits')) ?? -1;
    await expect.poll(reserved, { timeout: 30_000, interval: 500 }).toBe(0);
    expect(await ledgerCheck(fleet.first)).toEqual({ drift: '0', violations: [] });
    await fleet.second.start();
    expect(await curl.download(`${customer.key}:x@${fleet.second.ready.socksShared}`, origin.url('/bytes/1000'))).toBe(
      1_000,
    );
  }, 60_000);
}

async function metric(server: TestServer, name: string): Promise<number | undefined> {
  const { body } = await server.rest<string>('GET', '/metrics');
  const line = body.split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}
