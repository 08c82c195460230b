import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PRICE_PER_BYTE, type Product } from '../../src/units.ts';
import { balanceOf, ledgerCheck, nano } from '../harness/customer.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl, PROXY_CLIENTS } from '../harness/proxyClients.ts';
import { ADMIN, startServer, type TestServer } from '../harness/server.ts';
import { openUsageStream, type UsageStream } from '../harness/usageStream.ts';

/** Bytes per product that one test moved, as the origin counted them. */
type Moved = Partial<Record<Product, bigint>>;

const BIG = 50_000_000;
const BODY = randomBytes(200_003);

let origin: Origin;
let server: TestServer;
let websocket: UsageStream;
let sse: UsageStream;

beforeAll(async () => {
  origin = await startOrigin();
  server = await startServer();
  const stream = { http: server.ready.http, token: ADMIN.apiKey };
  websocket = await openUsageStream({ ...stream, transport: 'websocket' });
  sse = await openUsageStream({ ...stream, transport: 'sse' });
});

afterAll(async () => {
  await websocket[Symbol.asyncDispose]();
  await sse[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

describe.each(['SHARED', 'DEDICATED'] as const)('%s: every client is billed what the origin counted', (product) => {
  describe.each(PROXY_CLIENTS)('$name', (client) => {
    test.runIf(client.available)('downloads and uploads', async () => {
      await expectExactBill(product, async () => {
        const at = proxy(product, `${ADMIN.apiKey}:x`);
        expect(await client.download(at, origin.url('/bytes/300007'))).toBe(300_007);
        expect((await client.exchange(at, origin.url('/'), BODY)).equals(BODY)).toBe(true);
      });
    });
  });

  test.each([
    ['no password', ADMIN.apiKey],
    ['an empty password', `${ADMIN.apiKey}:`],
  ])('curl with %s', async (_case, credentials) => {
    await expectExactBill(product, async () => {
      expect(await curl.download(proxy(product, credentials), origin.url('/bytes/1'))).toBe(1);
    });
  });

  test('a name is resolved by the proxy', async () => {
    await expectExactBill(product, async () => {
      const at = proxy(product, `${ADMIN.apiKey}:x`);
      expect(await curl.download(at, origin.url('/bytes/1000', 'localhost'))).toBe(1_000);
    });
  });
});

test('one stream of 50 MB', async () => {
  await expectExactBill('SHARED', async () => {
    const at = proxy('SHARED', `${ADMIN.apiKey}:x`);
    expect(await curl.download(at, origin.url(`/bytes/${BIG}`))).toBe(BIG);
  });
});

test('100 parallel streams on one key', async () => {
  await expectExactBill('SHARED', async () => {
    const at = proxy('SHARED', `${ADMIN.apiKey}:x`);
    const sizes = Array.from({ length: 100 }, (_, index) => 10_000 + index * 997);
    const got = await Promise.all(sizes.map((size) => curl.download(at, origin.url(`/bytes/${size}`))));
    expect(got).toEqual(sizes);
  });
});

test('a byte relayed is at the client within a second (p99)', async () => {
  const samples: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const seen = websocket.events.length;
    await curl.download(proxy('SHARED', `${ADMIN.apiKey}:x`), origin.url('/bytes/1000'));
    const relayed = Date.now();
    await websocket.until(({ events }) => events.slice(seen).some((event) => event.__typename === 'UsageDelta'));
    samples.push((websocket.arrivals.at(-1) ?? Infinity) - relayed);
  }
  samples.sort((left, right) => left - right);
  console.log(`relayed to delta: p50 ${samples[10]} ms, p99 (of 20) ${samples[19]} ms`);
  expect(samples[19]).toBeLessThan(1_000);
});

test('after all that the ledger has no drift, and the account adds up', async () => {
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  const first = websocket.events[0];
  expect(nano(first?.balance) - websocket.totals().credits).toBe(await balanceOf(server, ADMIN.apiKey));
});

function proxy(product: Product, credentials: string): string {
  return `${credentials}@${product === 'SHARED' ? server.ready.socksShared : server.ready.socksDedicated}`;
}

/** Runs transfers, then compares the origin's count with both streams, the REST views and the balance. */
async function expectExactBill(product: Product, transfer: () => Promise<void>): Promise<void> {
  const before = { origin: origin.count(), websocket: websocket.totals(), sse: sse.totals(), rest: await restUsage() };
  await transfer();
  await origin.idle();
  const after = origin.count();
  const up = after.up - before.origin.up;
  const down = after.down - before.origin.down;
  const credits = (up + down) * PRICE_PER_BYTE[product];
  for (const [stream, start] of [
    [websocket, before.websocket],
    [sse, before.sse],
  ] as const) {
    await stream.until(() => stream.totals().credits >= start.credits + credits);
    const now = stream.totals();
    expect({ up: now.up - start.up, down: now.down - start.down, credits: now.credits - start.credits }).toEqual({
      up,
      down,
      credits,
    });
  }
  const rest = await restUsage();
  const moved: Moved = { [product]: credits };
  expect(rest.used - before.rest.used).toBe(credits);
  expect(before.rest.balance - rest.balance).toBe(credits);
  expect(rest.consumption - before.rest.consumption).toBe(credits);
  expect(rest.shared - before.rest.shared).toBe(moved.SHARED ?? 0n);
  expect(rest.dedicated - before.rest.dedicated).toBe(moved.DEDICATED ?? 0n);
}

interface KeyUsage {
  readonly global: { readonly used: { readonly daily: number } };
}
interface Balance {
  readonly balance: number;
  readonly summary: { readonly consumption?: { readonly total: number } };
}
interface Daily {
  readonly daily: Record<string, { readonly mutualise: number; readonly dedie: number }>;
}

/** What REST says, in nano-credits: the window counters, the balance, the transactions, the daily roll-up. */
async function restUsage() {
  const usage = await server.rest<KeyUsage>('GET', '/keys/usage');
  const balance = await server.rest<Balance>('GET', '/keys/balance');
  const daily = await server.rest<Daily>('GET', '/keys/usage/daily?days=2');
  const days = Object.values(daily.body.daily);
  return {
    used: nano(usage.body.global.used.daily),
    balance: nano(balance.body.balance),
    consumption: -nano(balance.body.summary.consumption?.total ?? 0),
    shared: days.reduce((sum, day) => sum + nano(day.mutualise), 0n),
    dedicated: days.reduce((sum, day) => sum + nano(day.dedie), 0n),
  };
}
