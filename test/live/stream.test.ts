import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sql } from '../../src/database/sql.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { openUsageStream } from '../harness/usageStream.ts';
import { lastSeq, SocketClient } from './client.ts';
import { Customer, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

let db: Awaited<ReturnType<typeof openTestDatabase>>;
let server: LiveServer;

beforeAll(async () => {
  db = await openTestDatabase();
  server = await startLiveServer(db);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await db.close();
});

const PRUNE = sql('testPrune', `select ledger_prune('0 seconds'::interval, 1000, now() + interval '1 hour')`);

describe('the usage stream', () => {
  for (const transport of ['websocket', 'sse'] as const) {
    test(`over ${transport}: a snapshot, then every delta and adjustment with contiguous numbers`, async () => {
      const customer = await Customer.create(db, { credit: 10n ** 12n });
      const { events } = server.services;
      await customer.use(events, { up: 10n, down: 5n });
      await using stream = await openUsageStream({ transport, http: server.url, token: customer.key().secret });
      expect(stream.events[0]).toMatchObject({
        __typename: 'UsageSnapshot',
        balance: '999.999999955',
        remaining: '999.999999955',
        totals: [
          { product: 'SHARED', bytesUp: '10', bytesDown: '5', credits: '0.000000045' },
          { product: 'DEDICATED', bytesUp: '0', bytesDown: '0', credits: '0' },
          { product: 'BROWSER', bytesUp: '0', bytesDown: '0', credits: '0' },
        ],
      });
      await customer.use(events, { up: 1n, down: 2n });
      await customer.use(events, { product: 'DEDICATED', down: 4n });
      await customer.deposit(events, 10n ** 9n);
      await stream.until(() => stream.events.at(-1)?.__typename === 'UsageAdjustment');
      expect(stream.totals()).toEqual({ up: 1n, down: 6n, credits: 41n });
      expect(stream.events.at(-1)).toMatchObject({ kind: 'ENTRY', amount: '1', balance: '1000.999999914' });
      expect(lastSeq(stream.events)).toBe(await customer.seq());
      const delta = stream.events.find(({ product }) => product === 'DEDICATED');
      expect(delta).toMatchObject({ apiKey: { id: encodeNodeId('ApiKey', customer.key().id) }, bytesDown: '4' });
    });
  }

  test('a heartbeat within 5 s when idle, with the current number', async () => {
    const customer = await Customer.create(db);
    await using stream = await openUsageStream({
      transport: 'websocket',
      http: server.url,
      token: customer.key().secret,
    });
    await stream.until(() => stream.events.length > 1, 5_000);
    expect(stream.events[1]).toMatchObject({ __typename: 'UsageHeartbeat', seq: stream.events[0]?.seq });
  });

  test('a filtered stream has only its key, widens fromSeq and moves on by heartbeats', async () => {
    const customer = await Customer.create(db, { keys: 2 });
    const { events } = server.services;
    await limits(db, { keyId: customer.key(0).id }, { day: 1_000n });
    // Called with a key and without apiKeyId: narrowed to that key.
    await using own = await openUsageStream({
      transport: 'websocket',
      http: server.url,
      token: customer.key(0).secret,
    });
    await using other = await openUsageStream({
      transport: 'websocket',
      http: server.url,
      token: customer.key(0).secret,
      variables: { apiKeyId: encodeNodeId('ApiKey', customer.key(1).id) },
    });
    expect(own.events[0]).toMatchObject({ remaining: '0.000001' });
    for (let round = 0; round < 3; round += 1) {
      await customer.use(events, { key: 1, down: 7n });
      await customer.use(events, { key: 0, down: 1n });
    }
    await customer.deposit(events, 1n);
    await own.until(() => own.events.at(-1)?.kind === 'ENTRY');
    expect(own.totals()).toEqual({ up: 0n, down: 3n, credits: 9n });
    expect(own.events.at(-1)).toMatchObject({ remaining: '0.000000991' });
    await other.until(() => other.events.at(-1)?.kind === 'ENTRY');
    expect(other.totals()).toEqual({ up: 0n, down: 21n, credits: 63n });
    await customer.use(events, { key: 1, down: 1n });
    await own.until(() => own.events.at(-1)?.__typename === 'UsageHeartbeat', 6_000);
    expect(lastSeq(own.events)).toBe(await customer.seq());
  });

  test('a foreign, an unknown and a malformed key are the same NOT_FOUND', async () => {
    const [mine, theirs] = [await Customer.create(db), await Customer.create(db)];
    await using client = await SocketClient.connect(server.url, mine.key().secret);
    client.subscribe('foreign', { apiKeyId: encodeNodeId('ApiKey', theirs.key().id) });
    client.subscribe('unknown', { apiKeyId: encodeNodeId('ApiKey', 999_999n) });
    client.subscribe('malformed', { apiKeyId: 'x' });
    const ids = ['foreign', 'unknown', 'malformed'];
    await client.until(() => ids.every((id) => client.codes(id).length > 0));
    expect(ids.map((id) => client.codes(id))).toEqual([['NOT_FOUND'], ['NOT_FOUND'], ['NOT_FOUND']]);
  });

  test('resuming goes on at after + 1 without a snapshot; up to date, it starts with a heartbeat', async () => {
    const customer = await Customer.create(db);
    for (let round = 0; round < 3; round += 1) await customer.use(server.services.events, { down: 1n });
    const seq = await customer.seq();
    await using client = await SocketClient.connect(server.url, customer.key().secret);
    client.subscribe('behind', { after: `${seq - 2n}` });
    client.subscribe('current', { after: `${seq}` });
    await client.until(() => client.events('behind').length > 0 && client.events('current').length > 0);
    expect(client.events('behind')[0]).toMatchObject({
      ...{ __typename: 'UsageDelta', fromSeq: `${seq - 1n}`, seq: `${seq}`, bytesDown: '2' },
    });
    expect(client.events('current')[0]).toMatchObject({ __typename: 'UsageHeartbeat', seq: `${seq}` });
  });

  test('a cursor that is malformed or ahead of the account is BAD_CURSOR', async () => {
    const customer = await Customer.create(db);
    await using client = await SocketClient.connect(server.url, customer.key().secret);
    const seq = await customer.seq();
    const cursors = ['', '-1', '1.5', 'x', '01', '99999999999999999999', `${seq + 1n}`];
    for (const after of cursors) client.subscribe(`c${after}`, { after });
    await client.until(() => cursors.every((after) => client.codes(`c${after}`).length > 0));
    expect(cursors.map((after) => client.codes(`c${after}`))).toEqual(cursors.map(() => ['BAD_CURSOR']));
  });

  test('below what was pruned: UsageLagged, a snapshot, and on', async () => {
    const customer = await Customer.create(db);
    for (let round = 0; round < 3; round += 1) await customer.use(server.services.events, { down: 1n });
    await db.query(PRUNE);
    const seq = await customer.seq();
    await using client = await SocketClient.connect(server.url, customer.key().secret);
    client.subscribe('late', { after: '1' });
    await client.until(() => client.events('late').length > 1);
    await customer.use(server.services.events, { down: 1n });
    await client.until(() => client.events('late').length > 2);
    expect(client.events('late')).toMatchObject([
      { __typename: 'UsageLagged', seq: '1', prunedSeq: `${seq}` },
      { __typename: 'UsageSnapshot', seq: `${seq}` },
      { __typename: 'UsageDelta', fromSeq: `${seq + 1n}`, bytesDown: '1' },
    ]);
  });
});
