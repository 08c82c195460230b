import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { startPeer, type Peer } from './socks.ts';

const MICROSOCKS = '/usr/bin/microsocks';
const START_TIMEOUT_MS = 5_000;

export const hasMicrosocks = existsSync(MICROSOCKS);

/** microsocks on a free port of 127.0.0.1, that asks for a login. */
export async function startMicrosocks(username: string, password: string): Promise<AsyncDisposable & { port: number }> {
  const port = await freePort();
  const args = ['-i', '127.0.0.1', '-p', String(port), '-u', username, '-P', password];
  const child = spawn(MICROSOCKS, args, { stdio: 'ignore' });
  const gone = once(child, 'exit');
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (performance.now() > deadline) throw new Error('microsocks does not answer');
    await delay(20);
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** A port that was free a moment ago: for programs that cannot tell which one they were given, and for closed ones. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
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

export interface HttpUpstream extends Peer {
  /** Heads of the requests, in order. */
  readonly heads: string[];
}

/**
 * An HTTP proxy that opens every tunnel it is asked for.
 * @param answer its whole response instead, if it is not to open one
 */
export async function startHttpUpstream(answer?: (head: string, client: Socket) => string): Promise<HttpUpstream> {
  const heads: string[] = [];
  const peer = await startPeer((client) => {
    let received = '';
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      client.off('data', onData).off('end', onEnd);
      const head = received.slice(0, end);
      heads.push(head);
      if (answer === undefined) open(client, head);
      else client.end(answer(head, client));
    };
    // Whoever goes before it has asked for anything.
    const onEnd = (): void => void client.destroy();
    client.on('data', onData).on('end', onEnd);
  });
  return Object.assign(peer, { heads });
}

function open(client: Socket, head: string): void {
  const [, host = '', port = ''] = /^CONNECT \[?([^\]\s]+?)\]?:(\d+) /.exec(head) ?? [];
  const target = connect({ host, port: Number(port), allowHalfOpen: true });
  target.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  client.on('close', () => target.destroy());
  target.on('connect', () => {
    client.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    client.pipe(target).pipe(client);
  });
}
