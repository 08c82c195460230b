import { WebSocket } from 'ws';

import { USAGE_SUBSCRIPTION } from '../../harness/usageStream.ts';
import type { ServerHello } from './server.ts';

/** All clients of the subscription bench, in a process of their own. Counts messages and their age. */
export interface ClientTask extends ServerHello {
  readonly clients: number;
}

/** Deliveries since the last report and their ages in microseconds. */
export interface ClientReport {
  readonly deliveries: number;
  readonly p50: number;
  readonly p99: number;
}

const AT_ONCE = 50;
const MARK = '"bytesUp":"';
let ages: number[] = [];

function received(text: string): void {
  const start = text.indexOf(MARK);
  if (start < 0) return;
  const sent = Number(text.slice(start + MARK.length, text.indexOf('"', start + MARK.length)));
  // The totals of a snapshot have bytes too.
  if (sent > 1e15) ages.push((performance.timeOrigin + performance.now()) * 1_000 - sent);
}

function open(url: string, token: string): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })),
    );
    socket.on('message', (data) => {
      const text = Buffer.isBuffer(data) ? data.toString('latin1') : '';
      if (text === '{"type":"connection_ack"}')
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: USAGE_SUBSCRIPTION } }));
      else resolve();
      received(text);
    });
  });
}

const task = JSON.parse(process.argv[2] ?? '') as ClientTask;
for (let first = 0; first < task.clients; first += AT_ONCE) {
  const batch = Array.from({ length: Math.min(AT_ONCE, task.clients - first) }, (_, index) => first + index);
  await Promise.all(batch.map((index) => open(task.url, task.tokens[index % task.tokens.length] ?? '')));
}
process.on('message', () => {
  const sorted = ages.sort((one, two) => one - two);
  ages = [];
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  process.send?.({ deliveries: sorted.length, p50: at(0.5), p99: at(0.99) } satisfies ClientReport);
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
