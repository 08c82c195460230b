import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CATALOGUE, type RefusalCode } from '../../src/errors.ts';
import { createKeyActivity, type KeyActivity } from '../../src/resolvers/apiKeys/keyActivity.ts';
import { RefusalStream } from '../../src/resolvers/refusals/stream.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { openRefusalStream, REFUSALS_SUBSCRIPTION } from '../harness/refusalStream.ts';
import { SocketClient } from './client.ts';
import { Customer, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

let db: Awaited<ReturnType<typeof openTestDatabase>>;
let server: LiveServer;
let activity: KeyActivity;
beforeAll(async () => {
  db = await openTestDatabase();
  server = await startLiveServer(db, { maxSubscriptionsPerAccount: 3 });
  activity = createKeyActivity(server.services);
});
afterAll(async () => {
  await activity.close();
  await server[Symbol.asyncDispose]();
  await db.close();
});

const CLIENT = { product: 'DEDICATED', clientAddress: '192.0.2.7' } as const;
const globalId = (customer: Customer, index = 0): string => encodeNodeId('ApiKey', customer.key(index).id);

describe.each(['websocket', 'sse'] as const)('over %s', (transport) => {
  const open = (customer: Customer, key = 0) =>
    openRefusalStream({ transport, http: server.url, token: customer.key(key).secret });

  test('it says that it listens, then who is refused and why', async () => {
    const customer = await Customer.create(db);
    activity.refused(customer.key().id, 'LIMIT_WEEK');
    await activity.flush();
    await using stream = await open(customer);
    expect(stream.events).toMatchObject([{ __typename: 'RefusalHeartbeat' }]);
    activity.refused(customer.key().id, 'LIMIT_WEEK');
    activity.refused(customer.key().id, 'NOT_ALLOWED', 'Not from there.', CLIENT);
    await stream.until(() => stream.deltas().length === 2);
    const apiKey = { id: globalId(customer) };
    const unknown = { product: null, clientAddress: null };
    const at = expect.any(String) as string;
    expect(stream.deltas()).toEqual([
      {
        ...{ __typename: 'RefusalDelta', at, apiKey, code: 'LIMIT_WEEK', count: '1' },
        ...{ message: CATALOGUE.LIMIT_WEEK.message, ...unknown },
      },
      {
        ...{ __typename: 'RefusalDelta', at, apiKey, code: 'NOT_ALLOWED', count: '1' },
        ...{ message: 'Not from there.', ...CLIENT },
      },
    ]);
  });

  test('a storm arrives as sums, at most five events a second', async () => {
    const customer = await Customer.create(db, { keys: 2 });
    const codes: RefusalCode[] = ['OUT_OF_CREDIT', 'CONNECTION_LIMIT', 'EGRESS_FORBIDDEN', 'LIMIT_DAY'];
    await using stream = await open(customer);
    const started = Date.now();
    let refused = 0;
    while (Date.now() - started < 1_500) {
      for (const code of codes) for (let n = 0; n < 50; n += 1) activity.refused(customer.key().id, code);
      refused += 50 * codes.length;
      await delay(10);
    }
    await stream.until(() => stream.total() === refused);
    const seconds = (Math.max(...stream.arrivals) - started) / 1_000;
    expect(stream.deltas().length).toBeLessThanOrEqual(Math.ceil(5 * seconds) + 1);
    expect(new Set(stream.deltas().map(({ code }) => code))).toEqual(new Set(codes));
  });

  test('a silent stream says so within five seconds', async () => {
    const customer = await Customer.create(db);
    await using stream = await open(customer);
    await stream.until(() => stream.events.length > 1, 5_000);
    expect(stream.events.map((event) => event.__typename)).toEqual(['RefusalHeartbeat', 'RefusalHeartbeat']);
  });

  test('it ends with the credential that opened it', async () => {
    const customer = await Customer.create(db);
    await using stream = await open(customer);
    server.services.events.publish('credentialsChanged', {
      ...{ accountId: customer.accountId, keyId: customer.key().id, sessionId: null, revoked: true, lookups: [] },
    });
    await expect.poll(() => stream.ended(), { timeout: 5_000 }).toBeDefined();
    expect(stream.ended()).toMatchObject([{ extensions: { code: 'CREDENTIAL_REVOKED' } }]);
  });
});

test('a key sees itself, or the key of its account that it names; nobody sees another account', async () => {
  const [mine, theirs] = [await Customer.create(db, { keys: 2 }), await Customer.create(db)];
  const open = (apiKeyId?: string) =>
    openRefusalStream({
      ...{ transport: 'websocket', http: server.url, token: mine.key(0).secret },
      variables: apiKeyId === undefined ? {} : { apiKeyId },
    });
  await using own = await open();
  await using other = await open(globalId(mine, 1));
  for (const key of [...mine.keys, ...theirs.keys]) activity.refused(key.id, 'THROTTLED');
  await Promise.all([own, other].map((stream) => stream.until(() => stream.total() === 1)));
  activity.refused(mine.key(0).id, 'THROTTLED');
  await own.until(() => own.total() === 2);
  expect(own.deltas().map(({ apiKey }) => apiKey?.id)).toEqual([globalId(mine, 0), globalId(mine, 0)]);
  expect(other.deltas().map(({ apiKey }) => apiKey?.id)).toEqual([globalId(mine, 1)]);
});

test('it takes one of the places that the account has for subscriptions', async () => {
  const customer = await Customer.create(db);
  const client = await SocketClient.connect(server.url, customer.key().secret);
  for (const id of ['1', '2', '3']) client.subscribe(id, {}, REFUSALS_SUBSCRIPTION);
  await client.until((messages) => messages.filter(({ type }) => type === 'next').length >= 3);
  client.subscribe('4', {}, REFUSALS_SUBSCRIPTION);
  expect(await client.closed).toMatchObject({ code: 4429 });
  await using again = await openRefusalStream({
    ...{ transport: 'sse', http: server.url, token: customer.key().secret },
  });
  expect(again.events).toHaveLength(1);
});

test('a reader that does not read gets one sum per key and reason, of the last one the words', async () => {
  const stream = new RefusalStream(null);
  expect(await stream.next()).toMatchObject({ __typename: 'RefusalHeartbeat' });
  const at = new Date();
  const counted = { accountId: 1n, day: '2026-11-22', total: 0n, firstAt: at, at, ...CLIENT } as const;
  for (let n = 0; n < 100_000; n += 1) {
    const code = n % 2 === 0 ? 'LIMIT_DAY' : 'LIMIT_WEEK';
    stream.offer({ ...counted, keyId: 5n, code, count: 3n, message: `number ${n}` });
  }
  expect(await stream.next()).toMatchObject({ code: 'LIMIT_DAY', count: 150_000n, message: 'number 99998' });
  expect(await stream.next()).toMatchObject({ code: 'LIMIT_WEEK', count: 150_000n, message: 'number 99999' });
  const waiting = stream.next();
  stream.close(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
});
