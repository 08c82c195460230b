import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { KEY } from '../harness/socksMessages.ts';
import type { Load } from './relayRoles.ts';

/**
 * Throughput, CPU and connects per second of the portable relay beside a direct connection and the
 * SOCKS servers that are installed. Interleaved: every round measures each of them once.
 * `--rounds N --seconds S`
 */
const ROUNDS = argument('rounds', 3);
const DURATION_MS = argument('seconds', 2) * 1_000;
const CONNECTIONS = [1, 8, 64];
/** `getconf CLK_TCK` on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Contender {
  readonly name: string;
  readonly method: Load['method'];
  readonly port: number;
  readonly process: ChildProcess | undefined;
}

interface Sample {
  readonly rate: number;
  /** CPU-seconds of the proxy per GB. */
  readonly cpu: number;
}

function argument(name: string, otherwise: number): number {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? otherwise : Number(process.argv[index + 1]);
}

function forkRole(role: string, task?: Load): ChildProcess {
  const file = fileURLToPath(new URL('relayRoles.ts', import.meta.url));
  return fork(file, [role, JSON.stringify(task ?? null)], { execArgv: ['--import', 'tsx'] });
}

function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Answer));
    child.once('exit', (code) => reject(new Error(`a process of the bench ended early (${code})`)));
  });
}

async function contenders(folder: string): Promise<Contender[]> {
  const ours = forkRole('passerelle');
  const { port } = await answerOf<{ port: number }>(ours);
  const found: Contender[] = [
    { name: 'direct', method: 'direct', port: 0, process: undefined },
    { name: 'passerelle (portable)', method: 'password', port, process: ours },
  ];
  if (existsSync('/usr/bin/microsocks')) {
    const free = await freePort();
    const args = ['-i', '127.0.0.1', '-p', String(free), '-u', KEY, '-P', 'x'];
    found.push(await installed('microsocks', 'password', free, '/usr/bin/microsocks', args));
  }
  if (existsSync('/usr/sbin/danted')) {
    const free = await freePort();
    const file = join(folder, 'danted.conf');
    writeFileSync(file, danteConfiguration(free));
    found.push(await installed('dante (no auth)', 'none', free, '/usr/sbin/danted', ['-f', file]));
  }
  return found;
}

const danteConfiguration = (port: number): string => `logoutput: /dev/null
internal: 127.0.0.1 port = ${port}
external: lo
socksmethod: none
clientmethod: none
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
`;

async function installed(
  name: string,
  method: Load['method'],
  port: number,
  command: string,
  args: string[],
): Promise<Contender> {
  const child = spawn(command, args, { stdio: 'ignore' });
  for (let tries = 0; tries < 100 && !(await answers(port)); tries++) await pause(50);
  return { name, method, port, process: child };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU-seconds that a process and its descendants have used. */
function cpuSeconds(root: number | undefined): number {
  if (root === undefined) return 0;
  const parents = new Map<number, number>();
  const used = new Map<number, number>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const text = statOf(entry);
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    parents.set(Number(entry), Number(fields[1] ?? 0));
    used.set(Number(entry), Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
  }
  const descends = (pid: number): boolean => pid === root || (pid > 1 && descends(parents.get(pid) ?? 0));
  return [...used].reduce((sum, [pid, ticks]) => sum + (descends(pid) ? ticks : 0), 0) / TICKS_PER_SECOND;
}

/** Empty when the process has ended meanwhile. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

async function measure(contender: Contender, task: Pick<Load, 'kind' | 'connections' | 'sourcePort'>): Promise<Sample> {
  const { method, port } = contender;
  const before = cpuSeconds(contender.process?.pid);
  const child = forkRole('load', { ...task, method, port, durationMs: DURATION_MS });
  const result = await answerOf<{ bytes?: number; total?: number; count?: number; seconds: number }>(child);
  const cpu = cpuSeconds(contender.process?.pid) - before;
  child.disconnect();
  await once(child, 'exit');
  const amount = result.bytes === undefined ? (result.count ?? 0) : result.bytes / 1e6;
  // What flowed while the connections were opened costs CPU as well.
  return { rate: amount / result.seconds, cpu: cpu / ((result.total ?? 0) / 1e9) };
}

/** Median and, in brackets, least and greatest. */
function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((one, other) => one - other);
  const [least, median, greatest] = [0, Math.floor(sorted.length / 2), sorted.length - 1].map((at) =>
    (sorted[at] ?? 0).toFixed(digits),
  );
  return `${median} [${least}..${greatest}]`;
}

async function compare(all: readonly Contender[], task: Parameters<typeof measure>[1], unit: string): Promise<void> {
  const samples = new Map<Contender, Sample[]>(all.map((contender) => [contender, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of all) samples.get(contender)?.push(await measure(contender, task));
  }
  console.log(`\n${task.connections} connections, ${unit}: median [least..greatest] of ${ROUNDS} × ${DURATION_MS} ms`);
  for (const [{ name }, list] of samples) {
    const rate = spread(
      list.map((sample) => sample.rate),
      0,
    ).padEnd(26);
    const cpu =
      name === 'direct' || unit !== 'MB/s'
        ? ''
        : `  CPU-s/GB ${spread(
            list.map((sample) => sample.cpu),
            3,
          )}`;
    console.log(`  ${name.padEnd(24)}${rate}${cpu}`);
  }
}

console.log(`${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}`);
const folder = mkdtempSync(join(tmpdir(), 'relay-bench-'));
const origin = forkRole('source');
const { endless, short } = await answerOf<{ endless: number; short: number }>(origin);
const all = await contenders(folder);
try {
  for (const connections of CONNECTIONS) {
    await compare(all, { kind: 'throughput', connections, sourcePort: endless }, 'MB/s');
  }
  await compare(all, { kind: 'connects', connections: 64, sourcePort: short }, 'connects/s');
} finally {
  for (const child of [origin, ...all.map((contender) => contender.process)]) child?.kill('SIGTERM');
  rmSync(folder, { recursive: true });
}
