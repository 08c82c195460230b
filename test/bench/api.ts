import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus, release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import pg from 'pg';

import { startServer, TEST_MASTER_KEY } from '../harness/server.ts';
import { postgres } from '../harness/services.ts';
import { compareAnswers, requestText, type Endpoint } from './api/answers.ts';
import type { LoadResult, LoadTask } from './api/load.ts';
import { compilePeers, messageOf } from './api/peers.ts';
import { printReport, type Contender, type Sample } from './api/report.ts';
import { seed } from './api/seed.ts';
import { ITEMS, requestFor, type Caller, type Item } from './api/work.ts';

/**
 * CPU per request of our server, through GraphQL and through REST, beside Mercurius + graphql-jit (the best peer of
 * the design study) and a bare fastify + pg handler, on one database. Interleaved: every round measures each cell
 * once. `--rounds N --seconds S --warm-up S`; `BENCH_SCALE=1` is the size of the study (1,000 accounts).
 */
const ROUNDS = argument('rounds', 5);
const DURATION_MS = argument('seconds', 2) * 1_000;
/** Our server needs some thousand requests until V8 has compiled all it will; the peers, with less code, fewer. */
const WARM_UP_MS = argument('warm-up', 5) * 1_000;
const SCALE = Number(process.env['BENCH_SCALE'] ?? 0.2);
const CONNECTIONS = 16;
const COMPARED_CALLERS = 4;
const POLL_MS = 200;

interface Entrant extends Contender, Endpoint {
  readonly pid: number;
}

function argument(name: string, otherwise: number): number {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? otherwise : Number(process.argv[index + 1]);
}

async function run(url: string): Promise<void> {
  const { callers, about } = await seed(url, TEST_MASTER_KEY, SCALE);
  const environment = { DATABASE_URL: url, MASTER_KEY: TEST_MASTER_KEY, NODE_ENV: 'production', LOG_LEVEL: 'error' };
  await using peers = await compilePeers();
  const env = { PATH: process.env['PATH'], ...environment };
  await using floor = await peers.start('floor', env);
  await using mercurius = await peers.start('mercurius', env);
  await using ours = await startServer({ env: environment });
  const own = { port: Number(new URL(ours.ready.http).port), pid: ours.pid };
  const entrants: readonly Entrant[] = [
    { name: 'passerelle, GraphQL', role: 'ours', style: 'GraphQL', ...own },
    { name: 'Mercurius + graphql-jit + pg', role: 'peer', style: 'GraphQL', port: mercurius.port, pid: mercurius.pid },
    { name: 'fastify + pg, the same body', role: 'floor', style: 'plain', port: floor.port, pid: floor.pid },
    { name: 'passerelle, REST (lpf)', role: 'ours', style: 'REST', ...own },
    { name: 'fastify + pg, the REST body', role: 'floor', style: 'REST', port: floor.port, pid: floor.pid },
  ];
  const groups = [entrants.slice(0, 3), entrants.slice(3)];
  await compareAnswers(groups, callers.slice(0, COMPARED_CALLERS));
  await untilChecked(url);
  console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`);
  console.log(`${about}; ${CONNECTIONS} keep-alive connections, credentials of ${callers.length} accounts in turn`);
  console.log(
    `median (least–most) of ${ROUNDS} rounds × ${DURATION_MS} ms, after ${WARM_UP_MS} ms each of warm-up; all answers were compared and are equal`,
  );
  printReport(await measureAll(entrants, callers));
}

/** Our server verifies the whole ledger when it starts: the database shall be at rest again. */
async function untilChecked(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const busy = `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()
      and datname = current_database() and query like '%ledger_check%'`;
    while ((await client.query(busy)).rowCount !== 0) await delay(POLL_MS);
  } finally {
    await client.end();
  }
}

async function measureAll(
  entrants: readonly Entrant[],
  callers: readonly Caller[],
): Promise<Map<Entrant, Record<Item, Sample[]>>> {
  const load = fork(fileURLToPath(new URL('api/load.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] });
  const samples = new Map<Entrant, Record<Item, Sample[]>>(
    entrants.map((entrant) => [entrant, { Q1: [], Q2: [], Q3: [], Q4: [], M1: [] }]),
  );
  try {
    for (const item of ITEMS)
      for (const entrant of entrants) await measure(load, entrant, item, callers, 0, WARM_UP_MS);
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Nobody always comes first, and nobody always follows the same neighbour.
      const order = round % 2 === 0 ? entrants : entrants.toReversed();
      const turned = [...order.slice(round % order.length), ...order.slice(0, round % order.length)];
      for (const item of ITEMS) {
        for (const entrant of turned) {
          samples.get(entrant)?.[item].push(await measure(load, entrant, item, callers, round, DURATION_MS));
        }
      }
    }
    return samples;
  } finally {
    const gone = once(load, 'exit');
    load.disconnect();
    await gone;
  }
}

async function measure(
  load: ChildProcess,
  { port, pid, style }: Entrant,
  item: Item,
  callers: readonly Caller[],
  round: number,
  durationMs: number,
): Promise<Sample> {
  const requests = callers.map((caller, index) =>
    requestText(port, requestFor(item, style, caller, round * callers.length + index), caller.secret),
  );
  load.send({ port, pid, connections: CONNECTIONS, durationMs, requests } satisfies LoadTask);
  const result = await messageOf<LoadResult>(load);
  return { cpu: result.cpu / result.requests, rate: result.requests / result.seconds };
}

if (!(SCALE > 0 && SCALE <= 1)) throw new Error('BENCH_SCALE must be above 0 and at most 1');
await using server = await postgres();
if (server === undefined) throw new Error('this bench needs PostgreSQL: its binaries, or DATABASE_URL');
await run(await server.createDatabase());
