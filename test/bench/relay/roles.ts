import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { startProxy } from '../../harness/socks.ts';

/** The processes of the benches of the data plane: each role runs in its own, so that none pays for another. */

const CHUNK_BYTES = 1 << 20;
const SMALL_BYTES = 1_024;
/** What all connections of a load read into: nobody looks at the bytes, and a buffer each would cost more than a connection. */
const SINK = Buffer.allocUnsafeSlow(1 << 18);

/** What a load process is told: through which proxy (none: straight to the source), for how long. */
export interface Load {
  readonly kind: 'throughput' | 'connects';
  readonly port: number;
  readonly sourcePort: number;
  /** `password` and `none` are SOCKS methods; `direct` uses no proxy. */
  readonly method: 'password' | 'none' | 'direct';
  /** User name, with the method `password`. */
  readonly key: string;
  readonly connections: number;
  readonly durationMs: number;
}

/** Bytes, or connections. */
export interface LoadResult {
  /** Within `seconds`. */
  readonly measured: number;
  /** And what came before the clock ran. */
  readonly total: number;
  readonly seconds: number;
}

/** Sends without end on one port, and one kilobyte and the end on the other. */
async function source(): Promise<object> {
  const chunk = Buffer.alloc(CHUNK_BYTES, 'passerelle ');
  const endless = await listen(
    createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => undefined);
      const pump = (): void => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on('drain', pump);
      pump();
    }),
  );
  const small = chunk.subarray(0, SMALL_BYTES);
  const short = await listen(createServer((socket) => socket.on('error', () => undefined).end(small)));
  return { endless, short };
}

/** Our proxy alone, with the exact in-memory meter of the tests and no database. */
async function bare(choice: 'fast' | 'portable'): Promise<object> {
  const { port } = await startProxy({ limits: { maxConnectionsPerKey: 10_000 }, relay: { choice } });
  return { port };
}

async function load(task: Load): Promise<LoadResult> {
  return task.kind === 'throughput' ? measureThroughput(task) : measureConnects(task);
}

async function measureThroughput(task: Load): Promise<LoadResult> {
  let bytes = 0;
  const sockets = await Promise.all(
    Array.from({ length: task.connections }, () => open(task, (count) => void (bytes += count))),
  );
  const opened = bytes;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, task.durationMs));
  const seconds = (performance.now() - start) / 1_000;
  if (sockets.some((socket) => socket.destroyed)) throw new Error('a download ended while it was measured');
  const result = { measured: bytes - opened, total: bytes, seconds };
  for (const socket of sockets) socket.resetAndDestroy();
  return result;
}

async function measureConnects(task: Load): Promise<LoadResult> {
  let count = 0;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - start < task.durationMs) {
      let received = 0;
      let finish: () => void = () => undefined;
      const done = new Promise<void>((resolve) => (finish = resolve));
      const socket = await open(task, (bytes) => {
        received += bytes;
        if (received >= SMALL_BYTES) finish();
      });
      await done;
      socket.resetAndDestroy();
      count++;
    }
  };
  await Promise.all(Array.from({ length: task.connections }, worker));
  return { measured: count, total: count, seconds: (performance.now() - start) / 1_000 };
}

/** Opens one connection, message by message as clients do; everything after the reply is counted. */
function open({ port, sourcePort, method, key }: Load, count: (bytes: number) => void): Promise<Socket> {
  const user = Buffer.from(key);
  const connectTo = Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, sourcePort >> 8, sourcePort & 0xff);
  const greeting = Buffer.of(5, 1, method === 'none' ? 0 : 2);
  const credentials = Buffer.concat([Buffer.of(1, user.length), user, Buffer.of(1, 0x78)]);
  const steps = {
    direct: [],
    none: [
      { send: greeting, answer: 2 },
      { send: connectTo, answer: 10 },
    ],
    password: [
      { send: greeting, answer: 2 },
      { send: credentials, answer: 2 },
      { send: connectTo, answer: 10 },
    ],
  }[method];
  return new Promise((resolve, reject) => {
    let index = 0;
    let missing = steps[0]?.answer ?? 0;
    const receive = (bytes: number): boolean => {
      const handshake = Math.min(missing, bytes);
      missing -= handshake;
      if (bytes > handshake) count(bytes - handshake);
      if (missing > 0 || index >= steps.length) return true;
      const next = steps[++index];
      missing = next?.answer ?? 0;
      if (next === undefined) resolve(socket);
      else socket.write(next.send);
      return true;
    };
    const socket = connect({
      port: method === 'direct' ? sourcePort : port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: SINK, callback: receive },
    });
    socket.on('error', reject);
    socket.on('connect', () => (steps[0] === undefined ? resolve(socket) : socket.write(steps[0].send)));
  });
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port)),
  );
}

const ROLES = {
  source,
  fast: () => bare('fast'),
  portable: () => bare('portable'),
  load: () => load(JSON.parse(process.argv[3] ?? '') as Load),
};

export type Role = keyof typeof ROLES;

/** Runs a role in this process and tells the parent what it found or where it listens. */
async function play(role: Role): Promise<void> {
  process.send?.(await ROLES[role]());
}

// Whoever started this process has gone: nobody is left to measure for.
process.on('disconnect', () => process.exit());
await play(process.argv[2] as Role);
