import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { localEvents } from '../../src/events.ts';
import { createMetering } from '../../src/metering/metering.ts';
import { beat } from '../../src/resolvers/ledger/beat.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { openTunnel, startPeer, startProxy, until, type Peer } from '../harness/socks.ts';
import { balance, billed } from '../metering/ledgerState.ts';
import { newAccount, newInstance, newKey } from '../resolvers/ledger/fixture.ts';

const CONNECTIONS = 40;
const PRICE = 3n;
/** Each target sends so much this often: 20 MB/s over all connections. */
const CHUNK = Buffer.alloc(5_000, 1);
const EVERY_MS = 10;
/** Calls are sent at most this much later than they were due, by a machine that is busy with other things. */
const LATE_MS = 100;

let db: TestDatabase;
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());

/** A target that sends at a steady pace for as long as it is connected. */
function steady(): Promise<Peer> {
  return startPeer((socket) => {
    const timer = setInterval(() => socket.write(CHUNK), EVERY_MS);
    socket.on('close', () => clearInterval(timer));
  });
}

/** A key with many tunnels, metered by the real ledger. @returns when the ledger was called for it */
async function run(
  bytes: bigint,
  over: (received: () => number, closed: () => boolean) => Promise<void>,
): Promise<{ readonly calls: readonly number[]; readonly received: number; readonly billed: bigint }> {
  const now = new Date();
  const accountId = await newAccount(db, bytes * PRICE, now);
  const keyId = await newKey(db, accountId);
  const calls: number[] = [];
  const metering = createMetering({
    sql: db,
    events: localEvents(() => undefined),
    instanceId: await newInstance(db, now),
    watched: () => true,
    log: pino({ level: 'silent' }),
    onFenced: () => newInstance(db, new Date()),
    ledger: {
      beat,
      tick: (sql, id, requests, lines) => {
        calls.push(performance.now());
        return tick(sql, id, requests, lines);
      },
    },
  });
  await metering.start();
  await using target = await steady();
  let received = 0;
  {
    await using proxy = await startProxy({
      authenticate: () => ({ key: { keyId, accountId } }),
      openSession: metering.openSession,
    });
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => openTunnel(proxy.port, target.port)));
    for (const client of clients) {
      received += client.total - 14;
      client.count();
      client.socket.on('data', (chunk: Buffer) => (received += chunk.length));
    }
    await over(
      () => received,
      () => proxy.proxy.stats.connections === 0,
    );
    for (const client of clients) client.socket.destroy();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
  }
  const { unsettledBytes } = await metering.drain(5_000);
  expect(unsettledBytes).toBe(0);
  expect((await balance(db, accountId)).reserved).toBe(0n);
  return { calls, received, billed: (await billed(db, keyId)).bytes };
}

/** No second in which there were more calls. */
function expectAtMost(perSecond: number, calls: readonly number[]): void {
  for (const [index, at] of calls.entries()) {
    const later = calls[index + perSecond];
    if (later !== undefined) expect(later - at).toBeGreaterThanOrEqual(1_000 - LATE_MS);
  }
}

test('while more than two seconds of credit are left the ledger is called four times a second for forty connections', async () => {
  const bytes = 2_000_000_000n;
  const { calls, received, billed } = await run(bytes, async (count) => {
    await until(() => count() > 60_000_000, 'three seconds of traffic');
  });
  // The last two give everything back.
  const running = calls.slice(0, -2);
  expect(running.length).toBeGreaterThan(4);
  expectAtMost(4, running);
  expect(billed).toBeGreaterThanOrEqual(BigInt(received));
});

test('below that twenty times, and the credit is spent to the byte', async () => {
  const bytes = 30_000_001n;
  const { calls, received, billed } = await run(bytes, (_count, closed) => until(closed, 'cut'));
  expect([BigInt(received), billed]).toEqual([bytes, bytes]);
  expect(calls.length).toBeGreaterThan(4);
  expectAtMost(20, calls);
});
