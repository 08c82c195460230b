import { setTimeout as delay } from 'node:timers/promises';

import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { createSession } from '../../src/resolvers/auth/createSession.ts';
import { PRODUCTS } from '../../src/units.ts';
import { USAGE_SUBSCRIPTION, type StreamEvent } from '../harness/usageStream.ts';
import { Customer, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

const DROPS = 100;

/** What a client knows: the sum of the deltas since it began, and the number it has reached. */
interface Known {
  seq: bigint | undefined;
  up: bigint;
  down: bigint;
}

const nothing = (): Known => ({ seq: undefined, up: 0n, down: 0n });

function apply(known: Known, event: StreamEvent): void {
  if (event.fromSeq !== undefined) expect(BigInt(event.fromSeq)).toBe((known.seq ?? -1n) + 1n);
  known.seq = BigInt(event.seq);
  for (const part of event.totals ?? [event]) {
    known.up += BigInt(part.bytesUp ?? 0);
    known.down += BigInt(part.bytesDown ?? 0);
  }
}

/** Subscribes, takes `count` events, and breaks the socket without a word. */
async function listen(server: LiveServer, token: string, known: Known, count: number): Promise<void> {
  let socket: WebSocket | undefined;
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    on: { connected: (opened) => (socket = opened as WebSocket) },
  });
  const after = known.seq?.toString();
  const variables = after === undefined ? {} : { after };
  let taken = 0;
  try {
    for await (const { data } of client.iterate<{ usage: StreamEvent }>({ query: USAGE_SUBSCRIPTION, variables })) {
      if (data == null) throw new Error('no data');
      apply(known, data.usage);
      taken += 1;
      if (taken >= count) socket?.terminate();
    }
  } catch (error) {
    // The broken socket: every event that was received before it has been counted.
    if (taken < count) throw error;
  }
}

async function dropping(server: LiveServer, token: string, known: Known): Promise<void> {
  for (let drop = 0; drop < DROPS; drop += 1) await listen(server, token, known, 1 + Math.floor(Math.random() * 4));
}

async function catchUp(server: LiveServer, token: string, known: Known, end: bigint): Promise<void> {
  while ((known.seq ?? 0n) < end) await listen(server, token, known, 1);
  expect(known.seq).toBe(end);
}

test(`a subscription dropped and resumed ${DROPS} times at random adds up exactly`, async () => {
  await using db = await openTestDatabase();
  await using server = await startLiveServer(db);
  const { events } = server.services;
  const customer = await Customer.create(db, { keys: 3 });
  const used = customer.keys.map(() => ({ up: 0n, down: 0n }));
  let stop = false;
  const traffic = async (): Promise<bigint> => {
    for (let round = 0; !stop; round += 1) {
      const [key, up, down] = [round % 3, BigInt(round % 17), BigInt(1 + (round % 1009))];
      await customer.use(events, { key, product: PRODUCTS[round % 2] ?? 'SHARED', up, down });
      const sums = used[key];
      if (sums !== undefined) [sums.up, sums.down] = [sums.up + up, sums.down + down];
      if (round % 50 === 0) await customer.deposit(events, 1n);
      await delay(Math.random() * 4);
    }
    return customer.seq();
  };
  const running = traffic();
  // The whole account by a session, and one key by itself.
  const { token } = await createSession(
    { ...server.services, clientAddress: '127.0.0.1' },
    customer.accountId,
    'GRAPHQL',
  );
  const secret = customer.key(1).secret;
  const [whole, narrowed] = [nothing(), nothing()];
  await Promise.all([dropping(server, token, whole), dropping(server, secret, narrowed)]);
  stop = true;
  const end = await running;
  await Promise.all([catchUp(server, token, whole, end), catchUp(server, secret, narrowed, end)]);
  const sum = (direction: 'up' | 'down'): bigint => used.reduce((total, sums) => total + sums[direction], 0n);
  expect(whole).toMatchObject({ up: sum('up'), down: sum('down') });
  expect(narrowed).toMatchObject(used[1] ?? {});
  expect(sum('down')).toBeGreaterThan(0n);
}, 60_000);
