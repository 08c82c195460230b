import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { ADMIN, startServer } from '../../harness/server.ts';
import { KEY } from '../../harness/socksMessages.ts';
import { answerOf, forkRole } from './measure.ts';
import type { Load } from './client.ts';
import type { Role } from './roles.ts';

/** A running proxy, or none: the direct way. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly method: Load['method'];
  /** User name, when the method asks for one. */
  readonly key: string;
  readonly port: number;
  /** Undefined: nothing to measure. */
  readonly pid: number | undefined;
}

const MICROSOCKS = '/usr/bin/microsocks';
const DANTE = '/usr/sbin/danted';
/** Milliseconds until an installed server answers. */
const START_TIMEOUT_MS = 5_000;

export const direct: Contender = {
  name: 'direct',
  method: 'direct',
  key: '',
  port: 0,
  pid: undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** The compiled server as users run it: embedded database, keys checked, every byte leased and settled. */
export async function startFullServer(): Promise<Contender & { readonly pid: number }> {
  const server = await startServer({ env: { WELCOME_CREDITS: '1000000000' } });
  return {
    name: 'passerelle',
    method: 'password',
    key: ADMIN.apiKey,
    port: Number(server.ready.socksShared.split(':').at(-1)),
    pid: server.pid,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** One of our relays with a meter in memory: the difference to the server is what settlements cost. */
export function startBareRelay(relay: 'fast' | 'portable'): Promise<Contender & { readonly pid: number }> {
  return startRole(relay, `${relay} relay only`);
}

/** A peer on the same Node. */
export function startNpmPeer(): Promise<Contender> {
  return startRole('npm', 'socks5-server (npm)');
}

async function startRole(role: Role, name: string): Promise<Contender & { readonly pid: number }> {
  const child = forkRole(role);
  const { port } = await answerOf<{ port: number }>(child);
  if (child.pid === undefined) throw new Error('the relay has no process');
  return {
    ...{ name, method: 'password', key: KEY, port, pid: child.pid },
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}

/** Whichever other SOCKS servers this machine has. */
export async function startInstalled(): Promise<Contender[]> {
  const found: Contender[] = [];
  if (existsSync(MICROSOCKS)) {
    const port = await freePort();
    const args = ['-i', '127.0.0.1', '-p', String(port), '-u', KEY, '-P', 'x'];
    found.push(await startProgram({ name: 'microsocks', method: 'password', key: KEY, port }, MICROSOCKS, args));
  }
  if (existsSync(DANTE)) {
    const port = await freePort();
    const folder = mkdtempSync(path.join(tmpdir(), 'relay-bench-'));
    const file = path.join(folder, 'danted.conf');
    writeFileSync(file, danteConfiguration(port));
    // It reads the file once, before it listens.
    found.push(await startProgram({ name: 'dante (no auth)', method: 'none', key: '', port }, DANTE, ['-f', file]));
    rmSync(folder, { recursive: true });
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

async function startProgram(
  contender: Pick<Contender, 'name' | 'method' | 'key' | 'port'>,
  command: string,
  args: string[],
): Promise<Contender> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const gone = once(child, 'exit');
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(contender.port))) {
    if (performance.now() > deadline) throw new Error(`${contender.name} does not answer`);
    await delay(50);
  }
  return {
    ...contender,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    return await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

/** These programs cannot tell which port they were given. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
