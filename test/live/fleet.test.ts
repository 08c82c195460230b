import path from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openDatabase, type Database } from '../../src/database/open.ts';
import type { EventMap } from '../../src/events.ts';
import { redisEvents } from '../../src/live/redis.ts';
import { decode, encode } from '../../src/live/wire.ts';
import { createLogger } from '../../src/log.ts';
import { freezable } from '../harness/frozen.ts';
import { hasPostgres, hasRedis, postgres, redis, type PostgresServer, type RedisServer } from '../harness/services.ts';
import { createKeyActivity } from '../../src/resolvers/apiKeys/keyActivity.ts';
import { openRefusalStream } from '../harness/refusalStream.ts';
import { openUsageStream } from '../harness/usageStream.ts';
import { Customer, eventually, startLiveServer } from './fixture.ts';

const log = createLogger('silent');
const MIGRATIONS = path.join(import.meta.dirname, '../../prisma/migrations');

const CHANGED: EventMap['credentialsChanged'] = {
  ...{ accountId: 7n, keyId: 9_007_199_254_740_993n, sessionId: null, revoked: true, lookups: ['ab'] },
};

test('events travel with their bigints and dates', () => {
  const event: EventMap['accountEvents'] = [
    {
      ...{
        accountId: 1n,
        seq: 2n ** 62n,
        at: new Date(1_234_567_890_123),
        kind: 'usage',
        keyId: 3n,
        product: 'BROWSER',
      },
      ...{ up: 0n, down: 5n, amount: -50n, balance: 10n ** 18n, remaining: 0n, keyRemaining: null },
    },
  ];
  const envelope = { from: 'a', name: 'accountEvents', event } as const;
  expect(decode(encode(envelope))).toEqual(envelope);
  expect(() => decode('{"name":"eventsLost"}')).toThrow(TypeError);
});

describe.skipIf(!hasRedis())('Redis', () => {
  let server: RedisServer | undefined;
  beforeAll(async () => {
    server = await redis();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  test('others hear what is published, oneself only once', async () => {
    const [one, two] = [await redisEvents(server?.url ?? '', log), await redisEvents(server?.url ?? '', log)];
    await eventually(() => one.hearsOthers() && two.hearsOthers());
    const heard: [string, EventMap['credentialsChanged']][] = [];
    one.subscribe('credentialsChanged', (event) => heard.push(['one', event]));
    two.subscribe('credentialsChanged', (event) => heard.push(['two', event]));
    one.publish('credentialsChanged', CHANGED);
    expect(heard).toEqual([['one', CHANGED]]);
    await eventually(() => heard.length > 1);
    expect(heard[1]).toEqual(['two', CHANGED]);
    two.publish('credentialsChanged', CHANGED);
    await eventually(() => heard.length > 3);
    expect(heard.map(([who]) => who)).toEqual(['one', 'two', 'two', 'one']);
    await Promise.all([one.close(), two.close()]);
  });

  test('a connection that breaks comes back, and says that events were lost', async () => {
    const events = await redisEvents(server?.url ?? '', log);
    await eventually(() => events.hearsOthers());
    let lost = 0;
    events.subscribe('eventsLost', () => (lost += 1));
    const admin = new Redis(server?.url ?? '');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    // Once when it breaks, for caches that relied on hearing; once when it is back, to catch up.
    await eventually(() => lost === 2);
    expect(events.hearsOthers()).toBe(true);
    admin.disconnect();
    await events.close();
  });

  test('a connection that falls silent without closing counts as lost, within two seconds', async () => {
    const way = await freezable(Number(new URL(server?.url ?? '').port));
    const events = await redisEvents(`redis://127.0.0.1:${way.port}`, log);
    await eventually(() => events.hearsOthers());
    let lost = 0;
    events.subscribe('eventsLost', () => (lost += 1));
    way.freeze();
    await eventually(() => !events.hearsOthers(), 2_000);
    expect(lost).toBe(1);
    await events.close();
    await way[Symbol.asyncDispose]();
  });

  test('while Redis answers its connection is kept', async () => {
    const events = await redisEvents(server?.url ?? '', log);
    await eventually(() => events.hearsOthers());
    let lost = 0;
    events.subscribe('eventsLost', () => (lost += 1));
    const admin = new Redis(server?.url ?? '');
    const pings = async (): Promise<number> =>
      Number(/cmdstat_ping:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
    const before = await pings();
    await expect.poll(pings, { timeout: 5_000 }).toBeGreaterThan(before + 2);
    expect([events.hearsOthers(), lost]).toEqual([true, 0]);
    admin.disconnect();
    await events.close();
  });

  test('without an answer the server starts, and works alone', async () => {
    const events = await redisEvents('redis://127.0.0.1:1', log);
    expect(events.hearsOthers()).toBe(false);
    let heard = 0;
    events.subscribe('credentialsChanged', () => (heard += 1));
    events.publish('credentialsChanged', CHANGED);
    expect(heard).toBe(1);
    await events.close();
  });
});

describe.skipIf(!hasPostgres())('two instances on one PostgreSQL', () => {
  let server: PostgresServer | undefined;
  let url = '';
  beforeAll(async () => {
    server = await postgres();
    url = (await server?.createDatabase()) ?? '';
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  const open = (): Promise<Database> =>
    openDatabase({ url, dataDir: '', migrations: MIGRATIONS, onError: () => undefined });

  /** Usage settled by one instance, seen at the other. @returns milliseconds until it was */
  async function across(one: Database, two: Database, events: readonly [EventsLike?, EventsLike?]): Promise<number> {
    await using here = await startLiveServer(one, withEvents(events[0]));
    await using there = await startLiveServer(two, withEvents(events[1]));
    const customer = await Customer.create(one, { keys: 1 });
    const token = customer.key().secret;
    await using stream = await openUsageStream({ transport: 'websocket', http: there.url, token });
    const started = Date.now();
    await customer.use(here.services.events, { down: 11n });
    await stream.until(() => stream.events.some(({ bytesDown }) => bytesDown === '11'));
    const took = Date.now() - started;
    for (let round = 0; round < 20; round += 1) {
      await customer.use((round % 2 === 0 ? here : there).services.events, { down: 1n });
    }
    const end = (await customer.seq()).toString();
    await stream.until(() => stream.events.at(-1)?.seq === end);
    expect(stream.totals()).toEqual({ up: 0n, down: 31n, credits: 93n });
    return took;
  }
  /** Refusals on one instance and then on both, seen at the other. @returns milliseconds until the first was */
  async function refusedAcross(
    one: Database,
    two: Database,
    events: readonly [EventsLike?, EventsLike?],
  ): Promise<number> {
    await using here = await startLiveServer(one, withEvents(events[0]));
    await using there = await startLiveServer(two, withEvents(events[1]));
    const customer = await Customer.create(one, { keys: 1 });
    const { id, secret } = customer.key();
    await using stream = await openRefusalStream({ transport: 'websocket', http: there.url, token: secret });
    const [activity, other] = [createKeyActivity(here.services), createKeyActivity(there.services)];
    const started = Date.now();
    activity.refused(id, 'NOT_ALLOWED', 'Not from there.', { product: 'SHARED', clientAddress: '192.0.2.9' });
    await stream.until(() => stream.total() === 1);
    const took = Date.now() - started;
    expect(stream.deltas()).toMatchObject([
      { code: 'NOT_ALLOWED', message: 'Not from there.', product: 'SHARED', clientAddress: '192.0.2.9' },
    ]);
    for (let round = 0; round < 30; round += 1) {
      activity.refused(id, 'LIMIT_DAY');
      other.refused(id, 'LIMIT_DAY');
    }
    await Promise.all([activity.close(), other.close()]);
    await stream.until(() => stream.total() === 61);
    return took;
  }
  type EventsLike = Awaited<ReturnType<typeof redisEvents>>;
  const withEvents = (events?: EventsLike) =>
    events === undefined ? {} : { events, hearsAll: () => events.hearsOthers() };

  test('without Redis the other one sees it within a second', async () => {
    const [one, two] = [await open(), await open()];
    expect(await across(one, two, [])).toBeLessThan(1_000);
    await Promise.all([one.close(), two.close()]);
  });

  test('without Redis the other one sees within two seconds who is refused', async () => {
    const [one, two] = [await open(), await open()];
    expect(await refusedAcross(one, two, [])).toBeLessThan(2_000);
    await Promise.all([one.close(), two.close()]);
  });

  test.skipIf(!hasRedis())('with Redis at once', async () => {
    await using broker = await redis();
    const [one, two] = [await open(), await open()];
    const events = [await redisEvents(broker?.url ?? '', log), await redisEvents(broker?.url ?? '', log)] as const;
    await eventually(() => events.every((each) => each.hearsOthers()));
    expect(await across(one, two, events)).toBeLessThan(450);
    // Refusals are counted in batches, every quarter of a second.
    expect(await refusedAcross(one, two, events)).toBeLessThan(700);
    await Promise.all([one.close(), two.close(), ...events.map((each) => each.close())]);
  });
});
