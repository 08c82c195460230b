import { setImmediate as nextTurn } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { lastSeq, SocketClient } from './client.ts';
import { Customer, eventually, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

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

/** Sums what operation `id` was told, and checks that no number is missing or comes twice. */
function totals(client: SocketClient, id: string): { down: bigint; deltas: number } {
  const events = client.events(id);
  let seq: bigint | undefined;
  let [down, deltas] = [0n, 0];
  for (const event of events) {
    if (event.fromSeq !== undefined && seq !== undefined) expect(BigInt(event.fromSeq)).toBe(seq + 1n);
    seq = BigInt(event.seq);
    if (event.__typename !== 'UsageDelta') continue;
    down += BigInt(event.bytesDown ?? 0);
    deltas += 1;
  }
  return { down, deltas };
}

describe('identical subscriptions', () => {
  test('are read and executed once: newcomers and those who resume meet in one lane', async () => {
    const customer = await Customer.create(db);
    const { events } = server.services;
    const clients: SocketClient[] = [];
    for (let index = 0; index < 8; index += 1) {
      const client = await SocketClient.connect(server.url, customer.key().secret);
      clients.push(client);
      const after = index % 2 === 0 ? {} : { after: (await customer.seq()).toString() };
      client.subscribe('s', after);
      await client.until(() => client.events('s').length > 0);
      await customer.use(events, { down: 1n });
    }
    await customer.use(events, { down: 100n });
    const end = await customer.seq();
    for (const client of clients) await client.until(() => lastSeq(client.events('s')) === end);
    expect(server.sockets.counts()).toMatchObject({ channels: 1, lanes: 1 });
    expect(clients.map((client) => totals(client, 's').down)).toEqual(
      [8, 7, 6, 5, 4, 3, 2, 1].map((n) => BigInt(n + 100)),
    );
    // Another selection, and other rights, are executed apart.
    const [first] = clients;
    first?.subscribe('other', {}, 'subscription { usage { seq } }');
    await eventually(() => server.sockets.counts().channels === 2);
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    await eventually(() => server.sockets.counts().channels === 0);
    await eventually(() => !server.services.live.watched(customer.accountId));
  });

  test('a socket that does not read is given sums, its buffer stays bounded, and it comes back', async () => {
    const customer = await Customer.create(db);
    const { events } = server.services;
    await using fast = await SocketClient.connect(server.url, customer.key().secret);
    await using slow = await SocketClient.connect(server.url, customer.key().secret);
    // Large messages, many times over, fill the kernel's buffers soon.
    const aliases = Array.from({ length: 25 }, (_, index) => `${'a'.repeat(120)}${index}: bytesDown`).join(' ');
    const query = `subscription { usage { __typename seq ... on UsageDelta { fromSeq bytesDown ${aliases} } } }`;
    for (const client of [fast, slow]) {
      client.subscribe('s', {}, query);
      await client.until(() => client.events('s').length > 0);
    }
    for (let filler = 0; filler < 15; filler += 1) slow.subscribe(`filler ${filler}`, {}, query);
    await slow.until(() => slow.events('filler 14').length > 0);
    let used = 0n;
    const push = async (): Promise<void> => {
      await customer.use(events, { down: 1n });
      used += 1n;
      // Client and server share this process: let the sockets have their turn.
      await nextTurn();
    };
    await push();
    await eventually(() => server.sockets.counts().lanes === 1);
    slow.socket.pause();
    while (server.sockets.counts().lanes === 1 && used < 5_000n) await push();
    expect(server.sockets.counts().lanes).toBeGreaterThan(1);
    for (let round = 0; round < 100; round += 1) await push();
    expect(server.sockets.counts().mostBuffered).toBeLessThan(1024 * 1024);
    slow.socket.resume();
    const end = await customer.seq();
    for (const client of [fast, slow]) await client.until(() => lastSeq(client.events('s')) === end);
    await push();
    await eventually(() => server.sockets.counts().lanes === 1);
    await push();
    const last = await customer.seq();
    for (const client of [fast, slow]) await client.until(() => lastSeq(client.events('s')) === last);
    expect(totals(fast, 's')).toEqual({ down: used, deltas: Number(used) });
    expect(totals(slow, 's').down).toBe(used);
    expect(totals(slow, 's').deltas).toBeLessThan(Number(used) - 80);
  }, 60_000);
});
