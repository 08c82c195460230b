import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { pino } from 'pino';

import { createFence, type FenceOptions } from '../../src/egress.ts';
import type { RefusalCode } from '../../src/errors.ts';
import type { Direction } from '../../src/metering/session.ts';
import type { RelayChoice } from '../../src/proxy/chooseFrontend.ts';
import { parseExits } from '../../src/proxy/exits/config.ts';
import type { RefusedClient } from '../../src/proxy/house.ts';
import { createProxy, type Proxy, type ProxyOptions, type RelayOptions } from '../../src/proxy/server.ts';
import { GREETING, KEY, login, request } from './socksMessages.ts';
import { createTestMeter, type TestMeter } from './socksMeter.ts';

export interface TestProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly meter: TestMeter;
  readonly port: number;
  readonly dedicatedPort: number;
  /** `KEY:password@host:port`, for real clients. */
  url(credentials?: string): string;
  /** Refusals recorded on the key, in order. */
  readonly refusals: RefusalCode[];
  /** Texts of those that are more precise than their code's. */
  readonly messages: string[];
  /** Who was refused, for each of the refusals. */
  readonly refused: (RefusedClient | undefined)[];
}

interface TestProxyOptions {
  readonly host?: string;
  readonly meter?: TestMeter;
  readonly fence?: FenceOptions;
  readonly limits?: Partial<ProxyOptions['limits']>;
  readonly authenticate?: ProxyOptions['authenticate'];
  readonly openSession?: ProxyOptions['openSession'];
  readonly forwardUntil?: Float64Array;
  readonly watchKey?: ProxyOptions['watchKey'];
  readonly departed?: ProxyOptions['departed'];
  /** Comma list, as in EXITS_SHARED; of both products. */
  readonly exits?: string;
  readonly ports?: Partial<ProxyOptions['ports']>;
  readonly relay?: RelayOptions;
  readonly log?: ProxyOptions['log'];
}

/** The relay that the tests of this run are about. */
export const RELAY: Exclude<RelayChoice, 'auto'> = process.env['TEST_RELAY'] === 'fast' ? 'fast' : 'portable';

/** The worker's code. Compiling it anew for every proxy would take most of the tests' time. */
const WORKER = new URL('../../dist/src/proxy/relay/fast/worker.js', import.meta.url);

/** A proxy on free ports that may dial loopback, with an exact meter in memory. */
export async function startProxy(options: TestProxyOptions = {}): Promise<TestProxy> {
  const meter = options.meter ?? createTestMeter();
  const refusals: RefusalCode[] = [];
  const messages: string[] = [];
  const refused: TestProxy['refused'] = [];
  const parsed = parseExits(options.exits ?? 'direct');
  if ('faults' in parsed) throw new Error(parsed.faults.join('; '));
  const { exits } = parsed;
  let own: { address: string; port: number }[] = [];
  const proxy = createProxy({
    host: options.host ?? '127.0.0.1',
    ports: { SHARED: 0, DEDICATED: 0, ...options.ports },
    authenticate:
      options.authenticate ??
      (async (username) =>
        username === KEY ? { key: { keyId: 1n, accountId: 1n } } : { refusal: 'KEY_UNKNOWN' as const }),
    openSession: options.openSession ?? meter.openSession,
    recordRefusal: (_keyId, code, message, client) => {
      refusals.push(code);
      refused.push(client && { product: client.product, clientAddress: client.clientAddress });
      if (message !== undefined) messages.push(message);
    },
    ...(options.watchKey !== undefined && { watchKey: options.watchKey }),
    ...(options.forwardUntil !== undefined && { forwardUntil: options.forwardUntil }),
    ...(options.departed !== undefined && { departed: options.departed }),
    exits: { SHARED: exits, DEDICATED: exits },
    resolveUpstream: createFence({ allow: ['0.0.0.0/0', '::/0'], own: () => own }).resolve,
    fence: createFence({ allow: ['127.0.0.0/8', '::1/128'], own: () => own, ...options.fence }),
    log: options.log ?? pino({ level: 'silent' }),
    limits: { idleTimeoutMs: 60_000, maxConnectionsPerKey: 1_000, ...options.limits },
    relay: { choice: RELAY, workerSource: WORKER, ...options.relay },
  });
  const { SHARED, DEDICATED } = await proxy.listen();
  own = [SHARED, DEDICATED];
  const name = SHARED.family === 'IPv6' ? `[${SHARED.address}]` : SHARED.address;
  return {
    proxy,
    meter,
    port: SHARED.port,
    dedicatedPort: DEDICATED.port,
    url: (credentials = `${KEY}:x`) => `${credentials}@${name}:${SHARED.port}`,
    refusals,
    messages,
    refused,
    [Symbol.asyncDispose]: async () => void (await proxy.drain(0)),
  };
}

export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly sockets: ReadonlySet<Socket>;
}

/** A plain TCP server, half-open allowed, that is closed with all its sockets at the end of the test. */
export async function startPeer(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A socket that keeps all it receives until it is asked for. */
export class RawSocket implements Disposable {
  readonly socket: Socket;
  /** Bytes received so far, the proxy's answers included. */
  total = 0;
  /**
   * Resolves when nothing more can come. A reset right behind data is reported as an end (libuv
   * turns a hang-up after a short read into one), so this does not tell the two apart.
   */
  readonly over: Promise<void>;
  /** Received and not taken. */
  #chunks: Buffer[] = [];
  #length = 0;
  #keep = true;
  #ended = false;
  #changed: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.socket.on('error', () => undefined);
    this.over = new Promise((resolve) => {
      this.socket.on('end', resolve);
      this.socket.on('close', () => resolve());
    });
    this.socket.on('data', (chunk: Buffer) => {
      this.total += chunk.length;
      if (!this.#keep) return;
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#changed();
    });
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.#ended = true;
        this.#changed();
      });
    }
  }

  send(...parts: (Uint8Array | readonly number[])[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  /** @throws when the connection ends before `length` bytes are there */
  async take(length: number): Promise<Buffer> {
    while (this.#length < length) {
      if (this.#ended) throw new Error(`ended after ${Buffer.concat(this.#chunks).toString('hex')}`);
      await this.#change();
    }
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(length)];
    this.#length -= length;
    return all.subarray(0, length);
  }

  /** What was received and not taken, however much that is. */
  takeReceived(): Buffer {
    const received = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return received;
  }

  /** Counts what comes, without keeping it. */
  count(): void {
    this.#keep = false;
    this.#chunks = [];
  }

  /** Everything until the other side ends or resets. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) await this.#change();
    return Buffer.concat(this.#chunks);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#changed = resolve));
  }
}

/** A client that may end its side before the other one. */
export class RawClient extends RawSocket {
  constructor(port: number, host = '127.0.0.1') {
    super(connect({ port, host, allowHalfOpen: true }));
  }
}

/** Opens a tunnel, every message in one packet; the replies are read. */
export async function openTunnel(
  proxyPort: number,
  port: number,
  early: Uint8Array = Buffer.alloc(0),
): Promise<RawClient> {
  const client = new RawClient(proxyPort);
  client.send(GREETING, login(), request(port), early);
  await client.take(4);
  const reply = await client.take(10);
  if (reply[1] !== 0) throw new Error(`reply ${reply[1]}`);
  return client;
}

/** Waits until the condition holds; for states that have no event. @throws after 10 s */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Polls without a change after which a transfer has surely stalled. */
const STILL_POLLS = 20;

/** Waits until all sessions hold bytes that the other side does not take, and nothing moves any more. */
export async function untilStalled({ meter }: TestProxy, direction: Direction): Promise<void> {
  let last = -1;
  let still = 0;
  await until(() => {
    const spent = meter.spent(direction);
    const holds = meter.sessions.every((session) => (session.handlers?.unaccepted?.(direction) ?? 0) > 0);
    still = holds && spent === last ? still + 1 : 0;
    last = spent;
    return still >= STILL_POLLS;
  }, 'stalled');
}

/** Sockets that a process has open. Other descriptors may stay: relay workers keep pipes for the next bytes. */
export function openSockets(pid: number | 'self' = 'self'): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      // The one with which the folder was read.
      return false;
    }
  }).length;
}
