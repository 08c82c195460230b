import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { updateApiKey } from '../../src/resolvers/apiKeys/updateApiKey.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { openConnectionStream, CONNECTION_FIELDS, type ShownConnection } from '../harness/connectionStream.ts';
import { asSession } from '../harness/context.ts';
import { TEST_INSTANCE, TestMember } from '../harness/openConnections.ts';
import type { TestDatabase } from '../harness/database.ts';
import { Customer, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

let db: TestDatabase;
let server: LiveServer;
let customer: Customer;

beforeAll(async () => {
  db = await openTestDatabase();
  server = await startLiveServer(db, { maxSubscriptionsPerAccount: 2 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await db.close();
});
beforeEach(async () => {
  customer = await Customer.create(db, { keys: 2 });
});

const open = (key = 0, options: ConstructorParameters<typeof TestMember>[2] = {}): TestMember =>
  new TestMember(server.connections.members, customer.key(key).id, options);

const idOf = ({ view }: TestMember): string => encodeNodeId('OpenConnection', `${TEST_INSTANCE}:${view.no}`);
const globalKey = (key = 0): string => encodeNodeId('ApiKey', customer.key(key).id);

interface Page {
  readonly totalCount: number;
  readonly complete: boolean;
  readonly edges: readonly { readonly cursor: string; readonly node: ShownConnection }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function ask<Data>(query: string, variables: object = {}, secret = customer.key().secret): Promise<Data> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function list(variables: object = {}): Promise<Page> {
  const query = `query ($first: Int, $after: String, $apiKeyId: ID) { viewer { user {
    openConnections(first: $first, after: $after, apiKeyId: $apiKeyId) {
      totalCount complete edges { cursor node { ${CONNECTION_FIELDS} } } pageInfo { hasNextPage endCursor } } } } }`;
  const { viewer } = await ask<{ viewer: { user: { openConnections: Page } } }>(query, variables);
  return viewer.user.openConnections;
}

async function close(id: string, secret?: string): Promise<unknown> {
  const query = `mutation ($id: ID!) { closeConnection(input: { id: $id }) {
    ... on CloseConnectionSuccess { id } ... on Error { code } } }`;
  return (await ask<{ closeConnection: unknown }>(query, { id }, secret)).closeConnection;
}

describe('the query', () => {
  test('shows everything that is known of a connection', async () => {
    const member = open(0, { target: ['example.com', 443], protocol: 'HTTP' }).moved(12, 3_456);
    const { edges, totalCount, complete } = await list();
    expect([totalCount, complete]).toEqual([1, true]);
    const [{ node } = { node: undefined }] = edges;
    expect(node).toEqual({
      ...{ id: idOf(member), apiKey: { id: globalKey() }, product: 'SHARED', protocol: 'HTTP' },
      ...{ exit: 'direct', target: 'example.com:443', clientAddress: '192.0.2.1' },
      ...{ bytesUp: '12', bytesDown: '3456', openedAt: new Date(member.view.openedAtMs).toISOString() },
      ageSeconds: node?.ageSeconds,
    });
    expect(node?.ageSeconds).toBeLessThan(5);
    const { node: loaded } = await ask<{ node: { bytesUp: string } }>(
      'query ($id: ID!) { node(id: $id) { ... on OpenConnection { bytesUp } } }',
      { id: idOf(member) },
    );
    expect(loaded).toEqual({ bytesUp: '12' });
  });

  test('leads through all of them page by page, in the order in which they came, while others come and go', async () => {
    const members = Array.from({ length: 250 }, (_, index) => open(index % 2));
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const { edges, pageInfo, totalCount }: Page = await list({ first: 100, after });
      expect(totalCount).toBe(members.length + seen.length / 100);
      seen.push(...edges.map(({ node }) => node.id));
      ({ endCursor: after } = pageInfo);
      expect(pageInfo.hasNextPage).toBe(seen.length < members.length);
      if (!pageInfo.hasNextPage) break;
      // One that was shown goes, two come: those are the last.
      members[seen.length - 1]?.leave();
      open();
      open();
    } while (seen.length < members.length);
    expect(seen.slice(0, 250)).toEqual(members.map(idOf));
    expect((await list({ apiKeyId: globalKey(1) })).totalCount).toBe(123);
  });

  test('a key that was opted out in the meantime shows no targets, and the operator sees none', async () => {
    const { accountId } = customer;
    open(0, { target: ['example.com', 443] });
    const operator = await Customer.create(db);
    await db.script(`update users set role = 'ADMIN' where id = ${operator.accountId}`);
    const { node } = await ask<{ node: { openConnections: { edges: { node: ShownConnection }[] } } }>(
      'query ($id: ID!) { node(id: $id) { ... on User { openConnections { edges { node { target clientAddress apiKey { name } } } } } } }',
      { id: encodeNodeId('User', accountId) },
      operator.key().secret,
    );
    expect(node.openConnections.edges).toEqual([
      { node: { target: null, clientAddress: '192.0.2.1', apiKey: { name: 'key 0' } } },
    ]);
  });

  test('10,000 connections make no answer slow', async () => {
    for (let count = 0; count < 10_000; count++) open();
    await list({ first: 100 });
    const started = performance.now();
    for (let count = 0; count < 10; count++) await list({ first: 100 });
    // Ten answers of 100 connections each: most of it is GraphQL.
    expect(performance.now() - started).toBeLessThan(3_000);
    server.connections.members.of(customer.key().id).forEach((member) => server.connections.members.delete(member));
  });
});

describe('closing one', () => {
  test('ends it at once, and it is not there any more', async () => {
    const [member, other] = [open(1), open(1)];
    expect(await close(idOf(member))).toEqual({ id: idOf(member) });
    expect([member.aborted, other.aborted]).toEqual([1, 0]);
    expect(await close(idOf(member))).toEqual({ code: 'NOT_FOUND' });
    expect((await list()).edges.map(({ node }) => node.id)).toEqual([idOf(other)]);
    const gone = `${TEST_INSTANCE.replace('1', '2')}:1`;
    expect(await close(encodeNodeId('OpenConnection', gone))).toEqual({ code: 'NOT_FOUND' });
  });

  test('of another account does nothing, nor does a key that may only read', async () => {
    const member = open();
    const stranger = await Customer.create(db);
    expect(await close(idOf(member), stranger.key().secret)).toEqual({ code: 'NOT_FOUND' });
    await updateApiKey(asSession(server.services, { id: customer.accountId, role: 'USER' }), customer.key(1).id, {
      scopes: ['READ'],
    });
    expect(await close(idOf(member), customer.key(1).secret)).toEqual({ code: 'INSUFFICIENT_SCOPE' });
    expect(member.aborted).toBe(0);
  });
});

describe.each(['websocket', 'sse'] as const)('the subscription over %s', (transport) => {
  const follow = (variables: Record<string, string> = {}, key = 0) =>
    openConnectionStream({ transport, http: server.url, token: customer.key(key).secret, variables });

  test('tells what is open, then what opens, transfers and closes, and nothing twice', async () => {
    const first = open();
    await using stream = await follow();
    expect(stream.events[0]).toMatchObject({ __typename: 'ConnectionsSnapshot', total: 1, complete: true });
    expect(stream.open().map(({ id }) => id)).toEqual([idOf(first)]);
    const second = open(1, { target: ['example.com', 80] });
    await stream.until(() => stream.open().length === 2);
    expect(stream.events.at(-1)).toMatchObject({
      ...{ __typename: 'ConnectionsChange', total: 2, changed: [], closed: [] },
      opened: [{ id: idOf(second), target: 'example.com:80' }],
    });
    second.moved(5, 6);
    second.moved(7, 8);
    await stream.until(() => stream.open()[1]?.bytesDown === '8');
    expect(stream.events.at(-1)).toMatchObject({ opened: [], changed: [{ id: idOf(second), bytesUp: '7' }] });
    first.leave();
    await stream.until(() => stream.open().length === 1);
    expect(stream.events.at(-1)).toMatchObject({ total: 1, opened: [], changed: [], closed: [idOf(first)] });
    // Not more often than once a second, whatever happened.
    const pauses = stream.arrivals.slice(2).map((arrival, index) => arrival - (stream.arrivals[index + 1] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThan(700);
  });

  test('one key is followed alone; a heartbeat comes when nothing happens', async () => {
    open(0);
    await using stream = await follow({ apiKeyId: globalKey(1) });
    expect(stream.events[0]).toMatchObject({ total: 0, connections: [] });
    open(0);
    await stream.until(({ events }) => events.length > 1, 6_000);
    expect(stream.events.slice(1)).toMatchObject([{ __typename: 'ConnectionsHeartbeat', total: 0 }]);
    expect(Number(stream.arrivals[1]) - Number(stream.arrivals[0])).toBeLessThan(5_000);
  });

  test('ends with the credential, and counts among the subscriptions of the account', async () => {
    await using stream = await follow({}, 1);
    await using _other = await follow();
    await expect(follow()).rejects.toThrow(/TOO_MANY_SUBSCRIPTIONS|Too many subscriptions|4429|ended/);
    server.services.events.publish('credentialsChanged', {
      ...{ accountId: customer.accountId, keyId: customer.key(1).id, sessionId: null, revoked: true, lookups: [] },
    });
    const why = transport === 'sse' ? [{ extensions: { code: 'CREDENTIAL_REVOKED' } }] : expect.anything();
    await expect.poll(() => stream.ended()).toMatchObject(why);
    // Its place is free as soon as the server has seen it go.
    const again = async (): Promise<number> => {
      await using next = await follow();
      return next.events.length;
    };
    await expect.poll(() => again().catch(() => 0)).toBe(1);
  });
});

test('20 follow the same keys at once, and one more is refused and takes no place', async () => {
  const { connections } = server;
  const keys = { name: 'many', load: () => Promise.resolve([]) };
  const views = Array.from({ length: 20 }, () => connections.follow(keys, 1, () => undefined));
  expect(() => connections.follow(keys, 1, () => undefined)).toThrow(/too many subscriptions/);
  views.pop()?.close();
  views.push(connections.follow(keys, 1, () => undefined));
  for (const view of views) view.close();
});

test('a view shows 500 connections, tells of the others, and lets those that come after take the place of who leaves', async () => {
  const members = Array.from({ length: 600 }, () => open());
  const { secret: token } = customer.key();
  await using stream = await openConnectionStream({ transport: 'websocket', http: server.url, token });
  expect([stream.events[0]?.total, stream.open().length]).toEqual([600, 500]);
  members[0]?.leave();
  await stream.until(() => stream.events.length > 1);
  expect(stream.events[1]).toMatchObject({ total: 599, changed: [], closed: [members[0] && idOf(members[0])] });
  expect(stream.events[1]?.opened?.map(({ id }) => id)).toEqual([members[500] && idOf(members[500])]);
  for (const member of members) member.leave();
});
