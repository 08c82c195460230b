import http from 'node:http';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { newCustomer, nano, type Customer } from '../harness/customer.ts';
import { endlessStream, type EndlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { connectThrough } from '../harness/tunnel.ts';
import { openUsageStream, type StreamOptions, type UsageStream } from '../harness/usageStream.ts';
import { SocketClient } from '../live/client.ts';

/** Changes show within this on the server that made them, what expires within twice this. */
const CUT_OFF_MS = 1_000;
const HERE = '127.0.0.1';
const THERE = '127.0.0.2';

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

/** A customer with credit, whose key has been restricted. */
async function customerWith(restrictions: Record<string, unknown> = {}): Promise<Customer> {
  const customer = await newCustomer(server, 10n ** 13n);
  await restrict(customer, restrictions);
  return customer;
}

async function mutate<Success>(
  token: string | undefined,
  name: string,
  input: object,
  fields: string,
): Promise<Success> {
  const type = name.charAt(0).toUpperCase() + name.slice(1);
  const document = `mutation ($input: ${type}Input!) { ${name}(input: $input) {
    ... on ${type}Success { ${fields} } ... on Error { code message } } }`;
  const { data } = await server.graphql(document, { input }, token);
  expect(data?.[name]).not.toHaveProperty('code');
  return data?.[name] as Success;
}

async function restrict({ keyId, token }: Customer, restrictions: Record<string, unknown>): Promise<void> {
  await mutate(token, 'updateApiKey', { id: keyId, ...restrictions }, 'apiKey { id }');
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly code?: string;
    readonly error?: string;
    readonly errors?: { extensions: { code: string } }[];
  };
}

/** One request from an address of the client. */
function request(path: string, key: string, from: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const method = body === undefined ? 'GET' : 'POST';
    const options = { method, headers, localAddress: from, agent: false };
    const outgoing = http.request(server.ready.http + path, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer['body'] }));
    });
    outgoing.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Status and code that GraphQL, REST and the WebSocket answer a key. */
async function api(key: string, from = HERE): Promise<unknown[]> {
  const graphql = await request('/graphql', key, from, { query: '{ viewer { user { balance } } }' });
  const rest = await request('/usage', key, from);
  return [
    [graphql.status, graphql.body.errors?.[0]?.extensions.code],
    [rest.status, rest.body.code],
    await greeted(key, from),
  ];
}

/** What becomes of `connection_init`. */
async function greeted(key: string, localAddress: string): Promise<unknown> {
  await using client = await SocketClient.open(server.ready.http, { localAddress });
  client.send({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } });
  const acknowledged = new Promise<string>((resolve) => client.socket.once('message', () => resolve('ack')));
  return await Promise.race([client.closed.then(({ code, reason }) => `${code} ${reason}`), acknowledged]);
}

const GOOD = [[200, undefined], [200, undefined], 'ack'];
const refused = (code: string, reason: string): unknown[] => [[403, code], [403, code], `4403 ${reason}`];

/** How the proxy answers a connect: `ok`, or the step and code of the refusal. */
async function proxied(key: string, from = HERE, proxy = server.ready.socksShared): Promise<string> {
  try {
    (await connectThrough(proxy, key, '127.0.0.1', origin.port, from)).destroy();
    return 'ok';
  } catch (error) {
    return (error as Error).message;
  }
}

const DENIED = 'connect refused with 2';

async function lastRefusal({ keyId, token }: Customer): Promise<{ code: string; message: string } | null | undefined> {
  const document = 'query ($id: ID!) { apiKey(id: $id) { lastRefusal { code message } } }';
  const { data } = await server.graphql<{ apiKey: { lastRefusal: { code: string; message: string } | null } }>(
    document,
    { id: keyId },
    token,
  );
  return data?.apiKey.lastRefusal;
}

async function refusedFor(customer: Customer, code: string, message: RegExp): Promise<void> {
  await expect
    .poll(() => lastRefusal(customer), { timeout: 3_000 })
    .toEqual({ code, message: expect.stringMatching(message) });
}

const stream = (key: string, from = HERE, proxy = server.ready.socksShared): Promise<EndlessStream> =>
  endlessStream(proxy, key, origin, { from });

/** A tunnel that runs. */
async function flowing(key: string, from = HERE, proxy = server.ready.socksShared): Promise<EndlessStream> {
  const opened = await stream(key, from, proxy);
  await opened.flowing;
  return opened;
}

const watch = (token: string, transport: StreamOptions['transport'] = 'websocket'): Promise<UsageStream> =>
  openUsageStream({ transport, http: server.ready.http, token });

/** Milliseconds from now until all of it has ended. */
async function msUntil(...ends: readonly Promise<unknown>[]): Promise<number> {
  const started = Date.now();
  await Promise.all(ends);
  return Date.now() - started;
}

const streamEnd = (usage: UsageStream): Promise<unknown> =>
  expect.poll(() => usage.ended(), { timeout: 10_000 }).toBeDefined();

describe('who may come', () => {
  test('an allow-list holds for the proxy, GraphQL, REST and WebSocket', async () => {
    const customer = await customerWith({ allowedIps: ['127.0.0.2/32', '::ffff:127.0.0.3'] });
    expect(await api(customer.key)).toEqual(refused('ADDRESS_NOT_ALLOWED', 'Address not allowed'));
    expect(await proxied(customer.key)).toBe(DENIED);
    await refusedFor(customer, 'NOT_ALLOWED', /address/);
    for (const from of [THERE, '127.0.0.3']) {
      expect(await api(customer.key, from)).toEqual(GOOD);
      expect(await proxied(customer.key, from)).toBe('ok');
    }
    const french = await request('/usage', customer.key, HERE);
    expect(french.body.error).toMatch(/adresse/);
  });

  test('a key without READ has no API, one without PROXY no proxy', async () => {
    const carrier = await customerWith({ scopes: ['PROXY'] });
    expect(await api(carrier.key)).toEqual(refused('INSUFFICIENT_SCOPE', 'Insufficient scope'));
    expect(await proxied(carrier.key)).toBe('ok');
    const reader = await customerWith({ scopes: ['READ'] });
    expect(await api(reader.key)).toEqual(GOOD);
    const changed = await request('/keys', reader.key, HERE, { name: 'another' });
    expect([changed.status, changed.body.code]).toEqual([403, 'INSUFFICIENT_SCOPE']);
    expect(await proxied(reader.key)).toBe(DENIED);
    await refusedFor(reader, 'NOT_ALLOWED', /PROXY/);
  });

  test('a key is good for its products alone', async () => {
    const customer = await customerWith({ products: ['DEDICATED'] });
    expect(await proxied(customer.key)).toBe(DENIED);
    await refusedFor(customer, 'NOT_ALLOWED', /product/);
    expect(await proxied(customer.key, HERE, server.ready.socksDedicated)).toBe('ok');
  });
});

describe('what runs obeys', () => {
  test('a new allow-list ends the tunnels and streams that it forbids, and no other', async () => {
    const customer = await customerWith();
    const here = await flowing(customer.key);
    const there = await flowing(customer.key, THERE);
    const socket = await watch(customer.key);
    const events = await watch(customer.key, 'sse');
    await restrict(customer, { allowedIps: [THERE] });
    expect(await msUntil(here.ended, streamEnd(socket), streamEnd(events))).toBeLessThan(CUT_OFF_MS);
    expect(socket.ended()).toMatchObject([{ extensions: { code: 'ADDRESS_NOT_ALLOWED' } }]);
    expect(events.ended()).toMatchObject([{ extensions: { code: 'ADDRESS_NOT_ALLOWED' } }]);
    await refusedFor(customer, 'NOT_ALLOWED', /address/);
    await goesOn(there);
    await restrict(customer, { allowedIps: null });
    await goesOn(there);
    there.socket.destroy();
  });

  test('so it is with products and scopes; a stream with fewer rights has those of now', async () => {
    const customer = await customerWith();
    const shared = await flowing(customer.key);
    const dedicated = await flowing(customer.key, HERE, server.ready.socksDedicated);
    await restrict(customer, { products: ['DEDICATED'] });
    expect(await msUntil(shared.ended)).toBeLessThan(CUT_OFF_MS);
    await goesOn(dedicated);
    await using client = await SocketClient.connect(server.ready.http, customer.key);
    client.subscribe('usage');
    await client.until(() => client.events('usage').length > 0);
    await restrict(customer, { scopes: ['READ'] });
    expect(await msUntil(dedicated.ended)).toBeLessThan(CUT_OFF_MS);
    await refusedFor(customer, 'NOT_ALLOWED', /PROXY/);
    client.subscribe('change', {}, 'mutation { createApiKey(input: { name: "x" }) { ... on Error { code } } }');
    await client.until((messages) => messages.some(({ id, type }) => id === 'change' && type === 'next'));
    expect(client.messages.find(({ id }) => id === 'change')?.payload).toEqual({
      data: { createApiKey: { code: 'INSUFFICIENT_SCOPE' } },
    });
    expect(client.codes('usage')).toEqual([]);
    await restrict(customer, { scopes: ['PROXY'] });
    expect(await msUntil(client.closed)).toBeLessThan(CUT_OFF_MS);
    expect(client.codes('usage')).toEqual(['INSUFFICIENT_SCOPE']);
  });

  test('a key that expires takes its tunnels and streams with it', async () => {
    const customer = await customerWith();
    const tunnel = await flowing(customer.key);
    const usage = await watch(customer.key);
    const expiresAt = Date.now() + 1_500;
    await restrict(customer, { expiresAt: new Date(expiresAt).toISOString() });
    await Promise.all([tunnel.ended, streamEnd(usage)]);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    expect(Date.now() - expiresAt).toBeLessThan(2 * CUT_OFF_MS);
    await refusedFor(customer, 'KEY_EXPIRED', /expired/);
    expect(await proxied(customer.key)).toBe('login refused with 1');
    expect(await api(customer.key)).toEqual([[401, 'UNAUTHENTICATED'], [401, 'UNAUTHENTICATED'], '4401 Unauthorized']);
    await restrict(customer, { expiresAt: null });
    expect(await api(customer.key)).toEqual(GOOD);
  });
});

test('a rotation under traffic: both secrets spend one budget, and the old one ends with its grace', async () => {
  const customer = await customerWith();
  const before = origin.count();
  const old = await flowing(customer.key);
  const rotated = Date.now();
  const input = { id: customer.keyId, graceSeconds: 3 };
  const { secret } = await mutate<{ secret: string }>(customer.token, 'rotateApiKey', input, 'secret apiKey { id }');
  const fresh = await flowing(secret);
  await goesOn(old);
  expect(await proxied(customer.key)).toBe('ok');
  await old.ended;
  expect(Date.now() - rotated).toBeGreaterThanOrEqual(2_900);
  expect(Date.now() - rotated).toBeLessThan(3_000 + 2 * CUT_OFF_MS);
  await refusedFor(customer, 'KEY_REVOKED', /replaced/);
  expect(await proxied(customer.key)).toBe('login refused with 1');
  await goesOn(fresh);
  fresh.socket.destroy();
  await origin.idle();
  const document = '{ viewer { apiKey { limits { daily { used } } } } }';
  const used = async (): Promise<bigint> => {
    const { data } = await server.graphql<{ viewer: { apiKey: { limits: { daily: { used: string } } } } }>(
      document,
      {},
      secret,
    );
    return nano(data?.viewer.apiKey.limits.daily.used);
  };
  // Both streams are in one counter: more than either of them received.
  const least = 3n * BigInt(old.received() + fresh.received() + old.sent + fresh.sent);
  await expect.poll(used, { timeout: 5_000 }).toBeGreaterThanOrEqual(least);
  const most = 3n * (origin.count().up - before.up + origin.count().down - before.down);
  expect(await used()).toBeLessThanOrEqual(most);
});

test('a suspension ends everything and says why at every door; resumed, all works again', async () => {
  const customer = await customerWith();
  const tunnel = await flowing(customer.key);
  const byKey = await watch(customer.key);
  const bySession = await watch(customer.token, 'sse');
  await mutate(undefined, 'suspendAccount', { userId: customer.userId, reason: 'test' }, 'user { id }');
  expect(await msUntil(tunnel.ended, streamEnd(byKey), streamEnd(bySession))).toBeLessThan(CUT_OFF_MS);
  for (const usage of [byKey, bySession])
    expect(usage.ended()).toMatchObject([{ extensions: { code: 'ACCOUNT_SUSPENDED' } }]);
  for (const credential of [customer.key, customer.token])
    expect(await api(credential)).toEqual(refused('ACCOUNT_SUSPENDED', 'Account suspended'));
  expect((await request('/usage', customer.key, HERE)).body.error).toMatch(/suspendu/);
  expect(await proxied(customer.key)).toBe(DENIED);
  await mutate(undefined, 'resumeAccount', { userId: customer.userId }, 'user { id }');
  expect(await api(customer.key)).toEqual(GOOD);
  expect(await proxied(customer.key)).toBe('ok');
  await refusedFor(customer, 'ACCOUNT_SUSPENDED', /suspended/);
});

/** More comes than what was on its way already. */
async function goesOn(tunnel: EndlessStream): Promise<void> {
  const before = tunnel.received();
  await expect.poll(() => tunnel.received()).toBeGreaterThan(before + 5_000_000);
}
