import { once } from 'node:events';

import {
  direct,
  startBareRelay,
  startFullServer,
  startInstalled,
  startNpmPeer,
  type Contender,
} from './relay/contenders.ts';
import { answerOf, cpuSeconds, forkRole, machine, median, option, spread } from './relay/measure.ts';
import type { Load, LoadResult } from './relay/client.ts';

/**
 * Throughput, CPU and connects per second of our server, and of its relay alone, beside a direct connection
 * and the SOCKS servers that are installed. Interleaved: every round measures each of them once.
 * `--rounds N --seconds S`
 */
const ROUNDS = option('rounds', 3);
const DURATION_MS = option('seconds', 2) * 1_000;
const CONNECTIONS = [1, 8, 64];
/** Once more with clients that only count: what is left of the CPU is for the proxy, and for the source. */
const COUNTING = 8;
const CONNECTING = 64;

interface Sample {
  /** MB/s, or connections per second. */
  readonly rate: number;
  /** CPU-seconds of the proxy per GB, or per 1,000 connections. */
  readonly cpu: number;
}

type Task = Pick<Load, 'kind' | 'connections' | 'sourcePort' | 'reads'>;

async function measure(contender: Contender, task: Task): Promise<Sample> {
  const { method, port, key } = contender;
  const before = cpuSeconds(contender.pid);
  const child = forkRole('load', { ...task, method, port, key, durationMs: DURATION_MS });
  const { measured, total, seconds } = await answerOf<LoadResult>(child);
  const cpu = cpuSeconds(contender.pid) - before;
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
  const [unit, share] = task.kind === 'throughput' ? [1e6, 1e9] : [1, 1_000];
  // What flowed while the connections were opened costs CPU as well.
  return { rate: measured / unit / seconds, cpu: cpu / (total / share) };
}

/** Every round begins with another contender, so that none always follows the same one. */
async function compare(all: readonly Contender[], task: Task): Promise<void> {
  const samples = new Map<Contender, Sample[]>(all.map((contender) => [contender, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % all.length;
    for (const contender of [...all.slice(first), ...all.slice(0, first)]) {
      samples.get(contender)?.push(await measure(contender, task));
    }
  }
  const [unit, share] = task.kind === 'throughput' ? ['MB/s', 'GB'] : ['connects/s', '1,000 connects'];
  const clients = task.reads ? '' : ' whose clients only count';
  console.log(
    `\n${task.connections} connections${clients}, ${unit}: median [least..greatest] of ${ROUNDS} × ${DURATION_MS} ms`,
  );
  const reference = median((samples.get(direct) ?? []).map(({ rate }) => rate));
  for (const [contender, list] of samples) {
    const rates = list.map(({ rate }) => rate);
    const relative = (median(rates) / reference).toFixed(2);
    const cpus = list.map((sample) => sample.cpu);
    const cpu = contender === direct ? '' : `  CPU-s per ${share} ${spread(cpus, 3)}`;
    console.log(`  ${contender.name.padEnd(24)}${spread(rates, 0).padEnd(26)}${relative} × direct${cpu}`);
  }
}

console.log(machine());
const source = forkRole('source');
const all: Contender[] = [direct];
try {
  const { endless, short } = await answerOf<{ endless: number; short: number }>(source);
  all.push(
    await startFullServer(),
    await startBareRelay('fast'),
    await startBareRelay('portable'),
    ...(await startInstalled()),
    await startNpmPeer(),
  );
  for (const connections of CONNECTIONS) {
    await compare(all, { kind: 'throughput', connections, sourcePort: endless, reads: true });
  }
  await compare(all, { kind: 'throughput', connections: COUNTING, sourcePort: endless, reads: false });
  await compare(all, { kind: 'connects', connections: CONNECTING, sourcePort: short, reads: true });
} finally {
  for (const contender of all) await contender[Symbol.asyncDispose]();
  source.kill('SIGTERM');
}
