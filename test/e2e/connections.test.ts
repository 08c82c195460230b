import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, newCustomer, type Customer } from '../harness/customer.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { startChild, type Child } from './connections/child.ts';
import type { SwarmCommand, SwarmCount } from './connections/swarm.ts';
import type { TargetCommand, TargetCount, TargetPorts } from './connections/target.ts';

/** CI's counts; `npm run soak` sets those that reliability is promised for. */
const CONNECTIONS = Number(process.env['CONNECTIONS'] ?? 1_000);
const STALLED_READERS = Number(process.env['STALLED_READERS'] ?? 20);

const MIB = 2 ** 20;
const KIB = 2 ** 10;
const CREDIT = 1_000n * 10n ** 9n;
const STALL_AFTER_BYTES = 100_000;
/** How long the memory has to stay flat. */
const OBSERVED_MS = 5_000;
/** What the collector and the embedded database move by themselves. */
const NOISE_BYTES = 48 * MIB;
/** What may come on top while nothing moves; one unread download alone would be forty times that. */
const FLAT_BYTES = 24 * MIB;
/** What a stalled reader may cost: a large read buffer and the objects of a connection, of a download of 1 GiB. */
const READER_BYTES = 512 * KIB;
const PATIENCE = { timeout: 60_000, interval: 200 };
const TEST_TIMEOUT_MS = 180_000 + 60 * CONNECTIONS;

let server: TestServer;
let swarm: Child<SwarmCommand>;
let target: Child<TargetCommand>;
let ports: TargetPorts;
let customer: Customer;

beforeEach(async () => {
  server = await startServer();
  swarm = startChild('swarm');
  target = startChild('target');
  ports = await target.ask<TargetPorts>({ do: 'listen' });
  customer = await newCustomer(server, CREDIT);
});

afterEach(async () => {
  await swarm[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

test(
  `${CONNECTIONS} idle tunnels at once: none is refused, all relay, and nothing is left of them`,
  async () => {
    const count = await open(ports.echo, CONNECTIONS);
    expect(count).toEqual({ open: CONNECTIONS, faults: [], stalled: 0, received: 0 });
    expect(await gauges()).toMatchObject({ connections: CONNECTIONS, tunnels: CONNECTIONS, sessions: CONNECTIONS });
    const pinged = await swarm.ask<SwarmCount>({ do: 'ping' });
    expect(pinged).toEqual({ open: CONNECTIONS, faults: [], stalled: 0, received: CONNECTIONS });
    await swarm.ask({ do: 'reset' });
    await untilClosed();
    expect(await refusals()).toEqual([]);
    await expect.poll(async () => (await target.ask<TargetCount>({ do: 'count' })).connections, PATIENCE).toBe(0);
    expect(await spent()).toBe(BigInt(2 * CONNECTIONS) * PRICE_PER_BYTE.SHARED);
    expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  },
  TEST_TIMEOUT_MS,
);

test(
  `${STALLED_READERS} readers that stall on 1 GiB: memory stays flat, and only what was handed over is billed`,
  async () => {
    await warmUp();
    const [before, spentBefore, receivedBefore] = [rss(), await spent(), (await count()).received];
    await open(ports.download, STALLED_READERS, STALL_AFTER_BYTES);
    await expect.poll(async () => (await count()).stalled, PATIENCE).toBe(STALLED_READERS);
    await untilNothingMoves();
    const [stalled, spentStalled] = [rss(), await spent()];
    await delay(OBSERVED_MS);
    const later = rss();
    console.log(
      `${STALLED_READERS} stalled readers: RSS ${mib(before)} MiB before, ${mib(stalled)} when all had stalled, ` +
        `${mib(later)} ${OBSERVED_MS / 1_000} s later`,
    );
    expect(later - stalled).toBeLessThan(FLAT_BYTES);
    expect(later - before).toBeLessThan(NOISE_BYTES + STALLED_READERS * READER_BYTES);
    expect(await count()).toMatchObject({ open: STALLED_READERS, stalled: STALLED_READERS, faults: [] });
    expect(await spent()).toBe(spentStalled);

    // The downloads end where they are: what the readers then find is all that was ever handed over.
    await target.ask({ do: 'finish' });
    const drained = await swarm.ask<SwarmCount>({ do: 'drain' });
    await untilClosed();
    expect(drained.faults).toEqual([]);
    const received = BigInt(drained.received - receivedBefore);
    expect((await target.ask<TargetCount>({ do: 'count' })).written).toBe(Number(received));
    expect(received).toBeGreaterThan(BigInt(STALLED_READERS * STALL_AFTER_BYTES));
    expect((await spent()) - spentBefore).toBe(received * PRICE_PER_BYTE.SHARED);
    // Before that, no more was billed than had been handed over.
    expect(spentStalled - spentBefore).toBeLessThanOrEqual(received * PRICE_PER_BYTE.SHARED);
    expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  },
  TEST_TIMEOUT_MS,
);

function open(targetPort: number, connections: number, stallAfter?: number): Promise<SwarmCount> {
  const proxyPort = Number(server.ready.socksShared.split(':').at(-1));
  const order = { do: 'open', proxyPort, key: customer.key, targetPort, connections } as const;
  return swarm.ask<SwarmCount>(stallAfter === undefined ? order : { ...order, stallAfter });
}

const count = (): Promise<SwarmCount> => swarm.ask<SwarmCount>({ do: 'count' });

/** As many connections once, so that what the process keeps for good is not taken for what readers cost. */
async function warmUp(): Promise<void> {
  await open(ports.echo, STALLED_READERS);
  await swarm.ask({ do: 'ping' });
  await swarm.ask({ do: 'reset' });
  await untilClosed();
}

/** Until all buffers on the way are full, and what went into them is settled. */
async function untilNothingMoves(): Promise<void> {
  let last = '';
  const settled = async (): Promise<boolean> => {
    const { written } = await target.ask<TargetCount>({ do: 'count' });
    const now = `${written} written, ${(await gauges()).unbilled} unbilled`;
    const same = now === last;
    last = now;
    return same;
  };
  await expect.poll(settled, { ...PATIENCE, interval: 1_000 }).toBe(true);
}

/** Until nothing is open and everything is settled. */
async function untilClosed(): Promise<void> {
  await expect.poll(gauges, PATIENCE).toEqual({ connections: 0, tunnels: 0, sessions: 0, unbilled: 0 });
}

async function metrics(): Promise<string> {
  return (await server.rest<string>('GET', '/metrics')).body;
}

async function gauges(): Promise<{ connections: number; tunnels: number; sessions: number; unbilled: number }> {
  const text = await metrics();
  const value = (name: string): number => Number(new RegExp(`^passerelle_${name} (.+)$`, 'm').exec(text)?.[1]);
  return {
    connections: value('proxy_connections'),
    tunnels: value('proxy_tunnels'),
    sessions: value('meter_sessions'),
    unbilled: value('meter_unbilled_bytes'),
  };
}

async function refusals(): Promise<string[]> {
  return (await metrics()).split('\n').filter((line) => line.startsWith('passerelle_proxy_refusals{'));
}

async function spent(): Promise<bigint> {
  return CREDIT - (await balanceOf(server, customer.key));
}

/** Resident memory of the server, bytes. */
function rss(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * KIB;
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(0);
