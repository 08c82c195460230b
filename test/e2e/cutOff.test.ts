import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { adjustBalance, balanceOf, ledgerCheck, newCustomer, type Customer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { startPeer } from '../harness/socks.ts';
import { connectThrough } from '../harness/tunnel.ts';

const CUT_OFF_MS = 1_000;

let origin: Origin;
let server: TestServer;

beforeAll(async () => {
  origin = await startOrigin();
  server = await startServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

test('credit for exactly N bytes delivers at most N and leaves less than the price of a byte', async () => {
  const bytes = 12_345_678n;
  const customer = await newCustomer(server, bytes * PRICE_PER_BYTE.SHARED + 2n);
  const before = origin.count();
  const streams = await Promise.all(
    Array.from({ length: 50 }, () => endlessStream(server.ready.socksShared, customer.key, origin)),
  );
  await Promise.all(streams.map((stream) => stream.ended));
  await origin.idle();
  // What a client sent may have been held back: up is what came to the origin.
  const up = origin.count().up - before.up;
  const delivered = streams.reduce((sum, stream) => sum + BigInt(stream.received()), up);
  expect(delivered).toBeLessThanOrEqual(bytes);
  const left = await balanceOf(server, customer.key);
  expect(left).toBeLessThan(PRICE_PER_BYTE.SHARED);
  expect(left).toBeGreaterThanOrEqual(0n);
  // The next connect is refused with the reason, and credit lets it through again.
  await expect(curl.download(proxy(customer.key), origin.url('/bytes/10'))).rejects.toThrow(
    /\(2\)|ruleset|not allowed/i,
  );
  expect(await lastRefusal(customer.key)).toBe('OUT_OF_CREDIT');
  await adjustBalance(server, customer.userId, '0.001', `credit-${customer.userId}`);
  expect(await curl.download(proxy(customer.key), origin.url('/bytes/10'))).toBe(10);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

test('credit for exactly N bytes takes at most N from 50 uploads', async () => {
  const bytes = 12_345_679n;
  const customer = await newCustomer(server, bytes * PRICE_PER_BYTE.SHARED + 2n);
  let received = 0n;
  await using target = await startPeer((socket) => socket.on('data', (chunk) => (received += BigInt(chunk.length))));
  const upload = async (): Promise<void> => {
    const { socksShared } = server.ready;
    const socket = await connectThrough(socksShared, customer.key, '127.0.0.1', target.port);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    // Twice what all of them may send together.
    socket.resume().write(Buffer.alloc(500_000));
    await ended;
  };
  await Promise.all(Array.from({ length: 50 }, upload));
  await expect.poll(() => target.sockets.size).toBe(0);
  expect(received).toBeLessThanOrEqual(bytes);
  const left = await balanceOf(server, customer.key);
  expect(left).toBeLessThan(PRICE_PER_BYTE.SHARED);
  expect(left).toBeGreaterThanOrEqual(0n);
  await expect(curl.download(proxy(customer.key), origin.url('/bytes/10'))).rejects.toThrow(/\(2\)/);
  expect(await lastRefusal(customer.key)).toBe('OUT_OF_CREDIT');
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

describe('an open stream ends within a second', () => {
  test('when its key is revoked', async () => {
    const customer = await newCustomer(server, 10n ** 9n);
    const stream = await endlessStream(server.ready.socksShared, customer.key, origin);
    await stream.flowing;
    const started = Date.now();
    const { data } = await server.graphql<{ revokeApiKey: { connectionsClosed: number } }>(
      `mutation ($id: ID!) { revokeApiKey(input: { id: $id }) {
         ... on RevokeApiKeySuccess { connectionsClosed apiKey { active } } ... on Error { code message } } }`,
      { id: customer.keyId },
      customer.token,
    );
    expect(data?.revokeApiKey).toEqual({ connectionsClosed: 1, apiKey: { active: false } });
    await stream.ended;
    expect(Date.now() - started).toBeLessThan(CUT_OFF_MS);
    await expect(curl.download(proxy(customer.key), origin.url('/bytes/10'))).rejects.toThrow(/97|auth|rejected/i);
  });

  test('when a limit is lowered below what was used; raising it lets the next connect through', async () => {
    const customer = await newCustomer(server, 10n ** 9n);
    const stream = await endlessStream(server.ready.socksShared, customer.key, origin);
    await stream.flowing;
    const started = Date.now();
    await setDailyLimit(customer, '0');
    await stream.ended;
    expect(Date.now() - started).toBeLessThan(CUT_OFF_MS);
    await expect(curl.download(proxy(customer.key), origin.url('/bytes/10'))).rejects.toThrow();
    expect(await lastRefusal(customer.key)).toBe('LIMIT_DAY');
    await setDailyLimit(customer, '1');
    expect(await curl.download(proxy(customer.key), origin.url('/bytes/10'))).toBe(10);
  });

  test('when the credit is exhausted', async () => {
    const customer = await newCustomer(server, 3_000_000n);
    const stream = await endlessStream(server.ready.socksShared, customer.key, origin, { pauseAfter: 500_000 });
    await stream.flowing;
    stream.socket.resume();
    let lastByte = Date.now();
    stream.socket.on('data', () => (lastByte = Date.now()));
    await stream.ended;
    expect(Date.now() - lastByte).toBeLessThan(CUT_OFF_MS);
    expect(await balanceOf(server, customer.key)).toBeLessThan(PRICE_PER_BYTE.SHARED);
  });
});

function proxy(key: string): string {
  return `${key}:x@${server.ready.socksShared}`;
}

async function setDailyLimit({ keyId, token }: Customer, dailyLimit: string): Promise<void> {
  const { data } = await server.graphql<{ updateApiKey: object }>(
    `mutation ($id: ID!, $dailyLimit: Credits) { updateApiKey(input: { id: $id, dailyLimit: $dailyLimit }) {
       ... on UpdateApiKeySuccess { apiKey { limits { daily { limit } } } } ... on Error { code message } } }`,
    { id: keyId, dailyLimit },
    token,
  );
  expect(data?.updateApiKey).toEqual({ apiKey: { limits: { daily: { limit: dailyLimit } } } });
}

async function lastRefusal(key: string): Promise<string | undefined> {
  const ask = async () => {
    const { data } = await server.graphql<{ viewer: { apiKey: { lastRefusal: { code: string } | null } } }>(
      '{ viewer { apiKey { lastRefusal { code } } } }',
      {},
      key,
    );
    return data?.viewer.apiKey.lastRefusal?.code;
  };
  await expect.poll(ask, { timeout: 2_000 }).toBeDefined();
  return ask();
}
