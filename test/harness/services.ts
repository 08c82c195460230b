import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Redis } from 'ioredis';
import pg from 'pg';

const run = promisify(execFile);

const START_TIMEOUT_MS = 30_000;
const START_ATTEMPTS = 5;
const POLL_MS = 50;

/** A PostgreSQL server for tests. */
export interface PostgresServer extends AsyncDisposable {
  /** Its maintenance database. */
  readonly url: string;
  /** Creates an empty database. @returns its URL */
  createDatabase(): Promise<string>;
}

/** A PostgreSQL server of this test alone, which may be killed. */
export interface OwnPostgresServer extends PostgresServer {
  /** Ends it without a checkpoint, as `pg_ctl stop -m immediate` does; waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Stops all its processes where they are: nothing is refused, nothing answered, until it is disposed of. Linux. */
  freeze(): Disposable;
}

/**
 * A PostgreSQL server: the one of `DATABASE_URL`, else a throw-away one from the installed
 * binaries, else undefined, and then the test that needs it skips by name.
 */
export async function postgres(): Promise<PostgresServer | undefined> {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') return ownPostgres();
  const created: string[] = [];
  return {
    url,
    createDatabase: () => createDatabase(url, created),
    [Symbol.asyncDispose]: () => dropDatabases(url, created),
  };
}

/** Whether `ownPostgres` can start one. Synchronous, for `describe.skipIf`. */
export function hasOwnPostgres(): boolean {
  return postgresBinaries() !== undefined && (userInfo().uid !== 0 || existsSync('/usr/bin/setpriv'));
}

/** Whether `postgres` has one to offer. */
export function hasPostgres(): boolean {
  return (process.env['DATABASE_URL'] ?? '') !== '' || hasOwnPostgres();
}

/** Whether `redis` has one to offer. */
export function hasRedis(): boolean {
  return (process.env['REDIS_URL'] ?? '') !== '' || onPath('redis-server') !== undefined;
}

/** A throw-away PostgreSQL server, or undefined when its binaries are not installed. */
export async function ownPostgres(): Promise<OwnPostgresServer | undefined> {
  const binaries = postgresBinaries();
  if (binaries === undefined || !hasOwnPostgres()) return undefined;
  const account = await databaseAccount();
  const folder = await mkdtemp(path.join(tmpdir(), 'passerelle-postgres-'));
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  const data = path.join(folder, 'data');
  await run('cp', ['-a', await initialisedCluster(binaries, account), data]);
  const server = await firstStart((port) => {
    const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'max_connections=200'];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    const [command, commandArgs] = privileges(account, path.join(binaries, 'postgres'), args);
    return { command, args: commandArgs, cwd: folder, answers: () => postgresAnswers(postgresUrl(port)) };
  });
  const url = postgresUrl(server.port);
  return {
    url,
    createDatabase: () => createDatabase(url, []),
    kill: () => server.stop('SIGQUIT'),
    start: () => server.start(),
    freeze: () => server.freeze(),
    [Symbol.asyncDispose]: async () => {
      await server.stop('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Folder of a cluster that no server has opened: made once, under a private name, and copied from then on, which takes
 * a tenth of the time. Like the template of the embedded database it stays for the next run.
 */
async function initialisedCluster(binaries: string, account: Account | undefined): Promise<string> {
  const version = (await run(path.join(binaries, 'initdb'), ['--version'])).stdout.replaceAll(/[^0-9.]+/g, '-');
  const cluster = path.join(tmpdir(), `passerelle-cluster${version}${userInfo().uid}`);
  if (existsSync(cluster)) return cluster;
  const draft = await mkdtemp(`${cluster}.`);
  if (account !== undefined) await chown(draft, account.uid, account.gid);
  const options = ['-D', draft, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
  const [command, args] = privileges(account, path.join(binaries, 'initdb'), options);
  await run(command, args, { cwd: draft });
  // Whoever else made it meanwhile loses nothing.
  await rename(draft, cluster).catch(() => rm(draft, { recursive: true, force: true }));
  return cluster;
}

/** A Redis server for tests. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
}

/** A Redis server: the one of `REDIS_URL`, else a throw-away one, else undefined (skip by name). */
export async function redis(): Promise<RedisServer | undefined> {
  const url = process.env['REDIS_URL'];
  if (url !== undefined && url !== '') return { url, [Symbol.asyncDispose]: async () => {} };
  const command = onPath('redis-server');
  if (command === undefined) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), 'passerelle-redis-'));
  const server = await firstStart((port) => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    return { command, args, cwd: folder, answers: () => redisAnswers(port) };
  });
  return {
    url: `redis://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: async () => {
      await server.stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Daemon {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly answers: () => Promise<boolean>;
}

interface RunningDaemon {
  readonly port: number;
  start(): Promise<void>;
  freeze(): Disposable;
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** These servers cannot bind port 0, so a free one is guessed and another tried when it was taken meanwhile. */
async function firstStart(daemonOn: (port: number) => Daemon): Promise<RunningDaemon> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const daemon = daemonOn(port);
    try {
      let child = await startDaemon(daemon);
      return {
        port,
        start: async () => {
          child = await startDaemon(daemon);
        },
        freeze: () => freezeDaemon(child),
        stop: (signal) => stopDaemon(child, signal),
      };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startDaemon({ command, args, cwd, answers }: Daemon): Promise<ChildProcess> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  let ended = false;
  child.once('error', () => (ended = true));
  child.once('exit', () => (ended = true));
  const endWithUs = (): void => void child.kill('SIGQUIT');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers())) {
    if (ended || Date.now() > deadline) {
      await stopDaemon(child, 'SIGKILL');
      throw new Error(`${path.basename(command)} did not start: ${complaint}`);
    }
    await delay(POLL_MS);
  }
  return child;
}

async function stopDaemon(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await gone;
}

/** The parent first, so that it has no more children afterwards. */
function freezeDaemon({ pid = 0 }: ChildProcess): Disposable {
  process.kill(pid, 'SIGSTOP');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  for (const child of children) process.kill(child, 'SIGSTOP');
  return {
    [Symbol.dispose]() {
      for (const each of [...children, pid]) process.kill(each, 'SIGCONT');
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no address');
  return address.port;
}

function postgresUrl(port: number, database = 'postgres'): string {
  return `postgresql://postgres@127.0.0.1:${port}/${database}`;
}

async function postgresAnswers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

async function redisAnswers(port: number): Promise<boolean> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

async function createDatabase(url: string, created: string[]): Promise<string> {
  const name = `passerelle_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  await administer(url, `create database ${name}`);
  created.push(name);
  const target = new URL(url);
  target.pathname = `/${name}`;
  return target.href;
}

async function dropDatabases(url: string, names: readonly string[]): Promise<void> {
  for (const name of names) await administer(url, `drop database if exists ${name} with (force)`);
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Newest `lib/postgresql/<version>/bin` of Debian, else the folder of `postgres` on the path. */
function postgresBinaries(): string | undefined {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((one, two) => Number(two) - Number(one)) : [];
  const found = versions.map((version) => path.join(base, version, 'bin')).find((bin) => existsSync(`${bin}/initdb`));
  const onPathBinary = onPath('initdb');
  return found ?? (onPathBinary === undefined ? undefined : path.dirname(onPathBinary));
}

function onPath(command: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.map((folder) => path.join(folder, command)).find((file) => existsSync(file));
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: the account of Debian's package runs it then. */
async function databaseAccount(): Promise<Account | undefined> {
  if (userInfo().uid !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => (await run('id', [flag, 'postgres'])).stdout));
  return { uid: Number(uid), gid: Number(gid) };
}

/** Runs as that account; the kernel ends it with this process, however that ends. */
function privileges(account: Account | undefined, command: string, args: string[]): [string, string[]] {
  if (account === undefined) return [command, args];
  const flags = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--pdeathsig', 'QUIT'];
  return ['setpriv', [...flags, command, ...args]];
}
