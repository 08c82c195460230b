import { afterAll, beforeAll, expect, test } from 'vitest';

import { NANO } from '../../src/units.ts';
import { ledgerCheck, newCustomer, type Customer } from '../harness/customer.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { RawSocket, startPeer } from '../harness/socks.ts';
import { connectThrough } from '../harness/tunnel.ts';
import { openUsageStream } from '../harness/usageStream.ts';
import { seededRandom } from '../simulation/random.ts';
import { planned, serve, visit, type Visit } from './integrity/peers.ts';
import { drawPlan } from './integrity/plan.ts';

/** CI's count; `npm run soak` sets the one that the issue of exactness is judged by. */
const CONNECTIONS = Number(process.env['RANDOM_CONNECTIONS'] ?? 100);
const SEED = Number(process.env['RANDOM_CONNECTIONS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CREDIT = 1_000n * NANO;
const AT_ONCE = 25;
const CUT_CONNECTIONS = Math.ceil(CONNECTIONS / 4);
const MOST_BEFORE_CUT = 2_000_000;
const TEST_TIMEOUT_MS = 60_000 + 200 * CONNECTIONS;
const PATIENCE = { timeout: 30_000, interval: 50 };

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});

afterAll(() => server[Symbol.asyncDispose]());

test(
  `${CONNECTIONS} random connections arrive unchanged both ways, and are billed to the byte`,
  async () => {
    console.log(`random connections: RANDOM_CONNECTIONS_SEED=${SEED}`);
    const random = seededRandom(SEED);
    const visits = Array.from({ length: CONNECTIONS }, (_, index) => planned(index, drawPlan(random, index)));
    const faults: string[] = [];
    const watched = (what: Promise<void>, name: string): Promise<void> =>
      what.catch((error: unknown) => void faults.push(`${name}: ${String(error)}`));
    await using target = await startPeer((socket) => void watched(serve(new RawSocket(socket), visits), 'target'));
    const customer = await newCustomer(server, CREDIT);
    await inTurns(visits, (one) => {
      const proxyPort = portOf(one.plan.product);
      return watched(visit(proxyPort, customer.key, target.port, one), `${one.index} ${JSON.stringify(one.plan)}`);
    });
    expect(faults).toEqual([]);
    await untilSettled();
    await expect.poll(() => target.sockets.size, PATIENCE).toBe(0);
    expect(await billed(customer)).toEqual({ SHARED: sum(visits, 'SHARED'), DEDICATED: sum(visits, 'DEDICATED') });
    expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  },
  TEST_TIMEOUT_MS,
);

test(
  `${CUT_CONNECTIONS} connections reset amid transfers are billed no less than arrived and no more than was sent`,
  async () => {
    const random = seededRandom(SEED + 1);
    const [received, sent] = [
      { up: 0, down: 0 },
      { up: 0, down: 0 },
    ];
    const chunk = Buffer.alloc(50_000, 'cut');
    const flood = (socket: RawSocket['socket']): void => {
      socket.once('drain', () => flood(socket));
      while (socket.writable && socket.write(chunk));
    };
    await using target = await startPeer((socket) => {
      const cutAt = random.int(1, MOST_BEFORE_CUT);
      let here = 0;
      socket.on('data', (bytes: Buffer) => {
        here += bytes.length;
        received.up += bytes.length;
        if (here >= cutAt) socket.resetAndDestroy();
      });
      socket.on('close', () => (sent.down += socket.bytesWritten));
      flood(socket);
    });
    const customer = await newCustomer(server, CREDIT);
    await inTurns(Array.from({ length: CUT_CONNECTIONS }), async () => {
      const socket = await connectThrough(server.ready.socksShared, customer.key, '127.0.0.1', target.port);
      const handshakeBytes = socket.bytesWritten;
      const cutAt = random.int(1, MOST_BEFORE_CUT);
      let here = 0;
      await new Promise((resolve) => {
        socket.on('close', resolve).on('data', (bytes: Buffer) => {
          here += bytes.length;
          if (here >= cutAt) socket.resetAndDestroy();
        });
        flood(socket);
      });
      received.down += here;
      sent.up += socket.bytesWritten - handshakeBytes;
    });
    await untilSettled();
    const { SHARED } = await billed(customer);
    for (const direction of ['up', 'down'] as const) {
      expect(SHARED[direction]).toBeGreaterThanOrEqual(received[direction]);
      expect(SHARED[direction]).toBeLessThanOrEqual(sent[direction]);
    }
    expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  },
  TEST_TIMEOUT_MS,
);

async function inTurns<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await act(item);
    }),
  );
}

function portOf(product: 'SHARED' | 'DEDICATED'): number {
  const { socksShared, socksDedicated } = server.ready;
  return Number((product === 'SHARED' ? socksShared : socksDedicated).split(':').at(-1));
}

function sum(visits: readonly Visit[], product: string): Visit['arrived'] {
  const total = { up: 0, down: 0 };
  for (const { plan, arrived } of visits) {
    if (plan.product !== product) continue;
    total.up += arrived.up;
    total.down += arrived.down;
  }
  return total;
}

/** Until nothing is open and everything is settled. */
async function untilSettled(): Promise<void> {
  const pattern = /^passerelle_(?:proxy_connections|meter_(?:sessions|unbilled_bytes)) (.+)$/gm;
  const open = async (): Promise<string[]> => {
    const { body } = await server.rest<string>('GET', '/metrics');
    return Array.from(body.matchAll(pattern), ([, value = '']) => value);
  };
  await expect.poll(open, PATIENCE).toEqual(['0', '0', '0']);
}

/** Bytes that the customer's stream counts, since ever. */
async function billed({ token }: Customer): Promise<Record<'SHARED' | 'DEDICATED', Visit['arrived']>> {
  await using stream = await openUsageStream({ transport: 'websocket', http: server.ready.http, token });
  const of = (product: string): Visit['arrived'] => {
    const total = stream.events[0]?.totals?.find((entry) => entry.product === product);
    return { up: Number(total?.bytesUp ?? 0), down: Number(total?.bytesDown ?? 0) };
  };
  return { SHARED: of('SHARED'), DEDICATED: of('DEDICATED') };
}
