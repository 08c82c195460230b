import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createSession } from '../../src/resolvers/auth/createSession.ts';
import { SocketClient } from './client.ts';
import { Customer, eventually, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

let db: Awaited<ReturnType<typeof openTestDatabase>>;
let server: LiveServer;
let customer: Customer;

beforeAll(async () => {
  db = await openTestDatabase();
  server = await startLiveServer(db, { maxSubscriptionsPerAccount: 3 });
  customer = await Customer.create(db);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await db.close();
});

const INIT = { type: 'connection_init' };

describe('graphql-transport-ws', () => {
  test.each([
    ['no credential', INIT],
    ['an unknown key', { ...INIT, payload: { authorization: `Bearer lpf_${'0'.repeat(32)}` } }],
    ['something else than a bearer', { ...INIT, payload: { authorization: 'Basic eA==' } }],
    ['a number', { ...INIT, payload: { authorization: 7 } }],
    ['a subscribe before connection_init', { id: '1', type: 'subscribe', payload: { query: '{ __typename }' } }],
  ])('%s: close 4401', async (_name, message) => {
    await using client = await SocketClient.open(server.url);
    client.send(message);
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect(client.messages).toEqual([]);
  });

  test('the credential may come with the upgrade; a bad one in connectionParams wins over it', async () => {
    const headers = { authorization: `Bearer ${customer.key().secret}` };
    await using good = await SocketClient.open(server.url, { headers });
    good.send(INIT);
    await good.until(([first]) => first?.type === 'connection_ack');
    await using bad = await SocketClient.open(server.url, { headers });
    bad.send({ ...INIT, payload: { authorization: 'Bearer x' } });
    expect(await bad.closed).toMatchObject({ code: 4401 });
  });

  test('without connection_init within 5 s: close 4408', async () => {
    await using client = await SocketClient.open(server.url);
    const started = Date.now();
    expect(await client.closed).toMatchObject({ code: 4408 });
    expect(Date.now() - started).toBeGreaterThan(4_500);
  });

  test('close codes of the protocol: 4400, 4406, 4409, 4429 and 1009', async () => {
    await using wrong = await SocketClient.open(server.url, { protocol: 'graphql-ws' }).catch(() => undefined as never);
    if (wrong !== undefined) expect(await wrong.closed).toMatchObject({ code: 4406 });
    const connect = (): Promise<SocketClient> => SocketClient.connect(server.url, customer.key().secret);
    await using malformed = await connect();
    malformed.send('{');
    expect(await malformed.closed).toMatchObject({ code: 4400 });
    await using twice = await connect();
    twice.send(INIT);
    expect(await twice.closed).toMatchObject({ code: 4429 });
    await using same = await connect();
    same.subscribe('1');
    same.subscribe('1');
    expect(await same.closed).toMatchObject({ code: 4409 });
    await using large = await connect();
    large.send(JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(256 * 1024) } }));
    expect(await large.closed).toMatchObject({ code: 1009 });
    await using long = await connect();
    long.subscribe('x'.repeat(129));
    expect(await long.closed).toMatchObject({ code: 4400 });
    await eventually(() => server.sockets.counts().connections === 0);
  });

  test('one subscription more than the account may have: close 4429; a closed one frees its place', async () => {
    await using client = await SocketClient.connect(server.url, customer.key().secret);
    for (const id of ['1', '2', '3']) client.subscribe(id);
    await client.until(() => ['1', '2', '3'].every((id) => client.events(id).length > 0));
    client.send({ id: '2', type: 'complete' });
    client.subscribe('4');
    await client.until(() => client.events('4').length > 0);
    client.subscribe('5');
    expect(await client.closed).toMatchObject({ code: 4429 });
    await eventually(() => server.sockets.counts().channels === 0);
    await using next = await SocketClient.connect(server.url, customer.key().secret);
    next.subscribe('1');
    await next.until(() => next.events('1').length > 0);
  });

  test('queries and mutations run too, under the same limits', async () => {
    const { token } = await createSession(
      { ...server.services, clientAddress: '127.0.0.1' },
      customer.accountId,
      'GRAPHQL',
    );
    await using client = await SocketClient.connect(server.url, token);
    client.subscribe('q', {}, '{ viewer { user { id } remaining } }');
    client.subscribe('m', {}, 'mutation { createApiKey(input: { name: "ws" }) { __typename } }');
    client.subscribe('deep', {}, `{ viewer ${'{ user '.repeat(30)}{ id }${' }'.repeat(30)} }`);
    client.subscribe('wrong', {}, '{ nothing }');
    const ids = ['q', 'm', 'deep', 'wrong'];
    await client.until((messages) => ids.every((id) => messages.some((message) => message.id === id)));
    const payload = (id: string): unknown => client.messages.find((message) => message.id === id)?.payload;
    expect(payload('q')).toMatchObject({ data: { viewer: { remaining: '1000000' } } });
    expect(payload('m')).toMatchObject({ data: { createApiKey: { __typename: 'CreateApiKeySuccess' } } });
    expect(client.messages.find(({ id }) => id === 'deep')?.type).toBe('error');
    expect(client.codes('wrong')).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });

  test('another path is not ours', async () => {
    await expect(SocketClient.open(`${server.url}/other`)).rejects.toThrow(/404|socket hang up|40\d/);
  });
});
