import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { ClientReport, ClientTask } from './live/clients.ts';
import { ACCOUNTS, type ServerHello, type ServerUsage } from './live/server.ts';

/**
 * Delivery of live usage over WebSocket beside a bare `ws` broadcast of the same messages: one event per
 * second for each of 100 accounts, fanned out to all clients. Interleaved; server and clients are processes
 * of their own. `--rounds N --seconds S --clients MOST`
 */
const ROUNDS = argument('rounds', 2);
const SECONDS = argument('seconds', 8);
const SETTLE_MS = 2_500;
const MOST_CLIENTS = argument('clients', 5_000);
const CLIENTS = [1_000, 5_000].filter((clients) => clients <= MOST_CLIENTS);
const SERVERS = ['raw', 'passerelle'] as const;

interface Sample extends ClientReport {
  /** Microseconds of server CPU per delivery. */
  readonly cpu: number;
  /** Bytes of server memory per client. */
  readonly rss: number;
}

function argument(name: string, otherwise: number): number {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? otherwise : Number(process.argv[index + 1]);
}

function start(file: string, argument_: string): ChildProcess {
  return fork(fileURLToPath(new URL(`live/${file}.ts`, import.meta.url)), [argument_], {
    execArgv: ['--import', 'tsx', '--expose-gc'],
  });
}

async function ask<Answer>(child: ChildProcess, command?: string): Promise<Answer> {
  const answer = once(child, 'message') as Promise<[Answer]>;
  if (command !== undefined) child.send(command);
  return (await answer)[0];
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
}

async function measure(name: (typeof SERVERS)[number], clients: number): Promise<Sample> {
  const server = start('server', name);
  const hello = await ask<ServerHello>(server);
  const empty = await ask<ServerUsage>(server, 'usage');
  const task: ClientTask = { ...hello, clients };
  const swarm = start('clients', JSON.stringify(task));
  await ask(swarm);
  server.send('start');
  await delay(SETTLE_MS);
  await ask<ClientReport>(swarm, 'report');
  await ask<ServerUsage>(server, 'usage');
  const before = await ask<ServerUsage>(server, 'cpu');
  await delay(SECONDS * 1_000);
  const after = await ask<ServerUsage>(server, 'usage');
  const report = await ask<ClientReport>(swarm, 'report');
  await Promise.all([end(swarm), end(server)]);
  return { ...report, cpu: (after.cpu - before.cpu) / report.deliveries, rss: (after.rss - empty.rss) / clients };
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((one, two) => one - two);
  const [least = 0, most = 0] = [sorted[0], sorted.at(-1)];
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

console.log(`${ACCOUNTS} accounts, 1 event/s each, ${SECONDS} s × ${ROUNDS} rounds; median (least–most)`);
for (const clients of CLIENTS) {
  const samples = new Map(SERVERS.map((name) => [name, [] as Sample[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of SERVERS) samples.get(name)?.push(await measure(name, clients));
  }
  for (const [name, list] of samples) {
    const column = (pick: (sample: Sample) => number, digits = 1): string => spread(list.map(pick), digits);
    console.log(
      `${String(clients).padStart(5)} clients  ${name.padEnd(10)}  CPU ${column(({ cpu }) => cpu)} µs/delivery` +
        `  p50 ${column(({ p50 }) => p50 / 1_000, 2)} ms  p99 ${column(({ p99 }) => p99 / 1_000, 2)} ms` +
        `  RSS ${column(({ rss }) => rss / 1_024)} KB/client  ${column(({ deliveries }) => deliveries, 0)} deliveries`,
    );
  }
}
