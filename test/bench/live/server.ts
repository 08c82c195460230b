import { createServer } from 'node:http';

import { WebSocketServer, type WebSocket } from 'ws';

import type { AccountEvent } from '../../../src/events.ts';
import { Customer, openTestDatabase, startLiveServer } from '../../live/fixture.ts';

/**
 * The server of the subscription bench, in a process of its own: `passerelle`, or `raw`, which does nothing
 * but stringify once per account and send. Both tell one event per second and account.
 */
export interface ServerHello {
  readonly url: string;
  /** One credential per account. */
  readonly tokens: readonly string[];
}

/** CPU in microseconds and memory in bytes of the server process so far. */
export interface ServerUsage {
  readonly cpu: number;
  readonly rss: number;
}

/** Events are spread over a second, as meters of different customers are. */
export const ACCOUNTS = 100;
const PERIOD_MS = 1_000;

/** When the event was published: microseconds since the epoch, carried as its `bytesUp`. */
const micros = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000));

async function passerelle(): Promise<{ hello: ServerHello; tell: (index: number) => void }> {
  const db = await openTestDatabase();
  const server = await startLiveServer(db, { maxSubscriptionsPerAccount: 100_000 });
  const customers: { accountId: bigint; keyId: bigint; seq: bigint }[] = [];
  const tokens: string[] = [];
  for (let index = 0; index < ACCOUNTS; index += 1) {
    const customer = await Customer.create(db);
    customers.push({ accountId: customer.accountId, keyId: customer.key().id, seq: await customer.seq() });
    tokens.push(customer.key().secret);
  }
  const tell = (index: number): void => {
    const customer = customers[index % ACCOUNTS];
    if (customer === undefined) return;
    const { accountId, keyId } = customer;
    customer.seq += 1n;
    const [amount, remaining] = [-3_000n, 10n ** 12n];
    const event: AccountEvent = {
      ...{ accountId, keyId, seq: customer.seq, at: new Date(), kind: 'usage', product: 'SHARED' },
      ...{ up: micros(), down: 1_000n, amount, balance: remaining, remaining, keyRemaining: null },
    };
    server.services.events.publish('accountEvents', [event]);
  };
  return { hello: { url: server.url, tokens }, tell };
}

async function raw(): Promise<{ hello: ServerHello; tell: (index: number) => void }> {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  const rooms = Array.from({ length: ACCOUNTS }, () => new Set<WebSocket>());
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const message = JSON.parse(Buffer.isBuffer(data) ? data.toString() : '') as { type: string; payload: unknown };
      if (message.type === 'connection_init') {
        const { authorization } = message.payload as { authorization: string };
        rooms[Number(authorization.slice('Bearer '.length))]?.add(socket);
        socket.send('{"type":"connection_ack"}');
      } else socket.send('{"id":"1","type":"next"}');
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  let seq = 0;
  const tell = (index: number): void => {
    seq += 1;
    const usage = {
      __typename: 'UsageDelta',
      seq: `${seq}`,
      at: new Date(),
      fromSeq: `${seq}`,
      apiKey: { id: 'QXBpS2V5OjEwMA==' },
    };
    const bytes = { product: 'SHARED', bytesUp: micros().toString(), bytesDown: '1000', credits: '0.000003' };
    const data = { usage: { ...usage, ...bytes, balance: '1000', remaining: '1000' } };
    const text = JSON.stringify({ id: '1', type: 'next', payload: { data } });
    for (const socket of rooms[index % ACCOUNTS] ?? []) socket.send(text);
  };
  const tokens = rooms.map((_room, index) => String(index));
  return { hello: { url: `http://127.0.0.1:${address.port}`, tokens }, tell };
}

const { hello, tell } = await (process.argv[2] === 'raw' ? raw() : passerelle());
let told = 0;
process.on('message', (command) => {
  if (command === 'start') setInterval(() => tell(told++), PERIOD_MS / ACCOUNTS);
  else {
    const { user, system } = process.cpuUsage();
    if (command === 'usage') globalThis.gc?.();
    process.send?.({ cpu: user + system, rss: process.memoryUsage().rss } satisfies ServerUsage);
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.(hello);
