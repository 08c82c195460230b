import { afterAll, beforeAll, expect, test } from 'vitest';

import { NANO, PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import {
  addExit,
  assignExit,
  drainExit,
  exitOf,
  exitsOf,
  removeExit,
  startMirror,
  usageByExit,
  type Mirror,
} from './exits/operator.ts';

const DOWNLOADS = 30;
const PASSWORD = 'upstream-canary';

let origin: Origin;
let mirror: Mirror;
let server: TestServer;
beforeAll(async () => {
  origin = await startOrigin();
  mirror = await startMirror();
  server = await startServer({ env: { EXITS_DEDICATED: 'bind:127.0.0.2,bind:127.0.0.3' } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

test('traffic of an account leaves through its own exits, that of nobody else does, also after a restart', async () => {
  const owner = await newCustomer(server, NANO);
  const other = await newCustomer(server, NANO);
  expect(await mirror.sources(server, owner.key, 4)).toEqual(['127.0.0.2', '127.0.0.3']);
  const first = await addExit(server, 'bind:127.0.0.5', [owner.userId]);
  await addExit(server, 'bind:127.0.0.6', [owner.userId]);
  const leave = async (): Promise<unknown> => ({
    owner: await mirror.sources(server, owner.key, 6),
    other: await mirror.sources(server, other.key, 6),
  });
  const apart = { owner: ['127.0.0.5', '127.0.0.6'], other: ['127.0.0.2', '127.0.0.3'] };
  expect(await leave()).toEqual(apart);
  // A configured exit, too, can be somebody's own.
  const configured = await exitOf(server, 'bind:127.0.0.3');
  if (configured === undefined) throw new Error('no exit');
  await assignExit(server, configured, [owner.userId]);
  const taken = { owner: ['127.0.0.3', '127.0.0.5', '127.0.0.6'], other: ['127.0.0.2'] };
  expect(await leave()).toEqual(taken);
  const before = await exitsOf(server);
  await server.restart();
  expect(await exitsOf(server)).toEqual(before.map((exit) => ({ ...exit, connections: 0 })));
  expect(await leave()).toEqual(taken);
  await assignExit(server, configured, []);
  expect(await leave()).toEqual(apart);
  await removeExit(server, first);
  expect(await leave()).toEqual({ ...apart, owner: ['127.0.0.6'] });
});

test('an account fails over among its own exits, and when none is left it is refused: it never leaves through others', async () => {
  const owner = await newCustomer(server, NANO);
  await addExit(server, `http://gone:${PASSWORD}@127.0.0.1:1`, [owner.userId]);
  const good = await addExit(server, 'bind:127.0.0.8', [owner.userId]);
  expect(await mirror.sources(server, owner.key, 6)).toEqual(['127.0.0.8']);
  await drainExit(server, good);
  expect(await mirror.source(server, owner.key)).toBe('503');
  await server.restart();
  expect(await mirror.source(server, owner.key)).toBe('503');
  await drainExit(server, good, false);
  expect(await mirror.sources(server, owner.key, 3)).toEqual(['127.0.0.8']);
});

test('connections through a drained or removed exit go on, sessions move', async () => {
  const owner = await newCustomer(server, 10n * NANO);
  const exit = await addExit(server, 'bind:127.0.0.11', [owner.userId]);
  const session = `${owner.key}-session-e2e-ttl-1m`;
  expect(await mirror.source(server, session)).toBe('127.0.0.11');
  const stream = await endlessStream(server.ready.socksDedicated, owner.key, origin);
  await stream.flowing;
  expect((await exitOf(server, exit.label))?.connections).toBe(1);
  await addExit(server, 'bind:127.0.0.12', [owner.userId]);
  await drainExit(server, exit);
  expect(await mirror.source(server, session)).toBe('127.0.0.12');
  await removeExit(server, exit);
  const received = stream.received();
  await expect.poll(() => stream.received(), { timeout: 5_000 }).toBeGreaterThan(received + 1_000_000);
  stream.socket.destroy();
  await stream.ended;
  await origin.idle();
});

test('usage by exit is what the origin counted and the bill says, to the byte, by exits that took turns', async () => {
  const customer = await newCustomer(server, NANO);
  for (const host of ['127.0.0.21', '127.0.0.22', '127.0.0.23'])
    await addExit(server, `bind:${host}`, [customer.userId]);
  const before = origin.count();
  const download = (index: number): Promise<number> =>
    curl.download(`${customer.key}:x@${server.ready.socksDedicated}`, origin.url(`/bytes/${index * 30_011}`));
  for (let index = 0; index < DOWNLOADS; index += 3) await Promise.all([index, index + 1, index + 2].map(download));
  await origin.idle();
  const up = origin.count().up - before.up;
  const down = origin.count().down - before.down;
  // Whatever had not been written when it was told to stop, is written before it ends.
  await server.restart();
  const usage = await usageByExit(server, customer.token);
  expect(usage).toMatchObject({ up, down, connections: BigInt(DOWNLOADS) });
  const own = await exitsOf(server);
  const names = own.filter(({ users }) => users.some(({ id }) => id === customer.userId)).map(({ name }) => name);
  expect(usage.names).toEqual(names.toSorted());
  expect(await balanceOf(server, customer.key)).toBe(NANO - (up + down) * PRICE_PER_BYTE.DEDICATED);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

test('usage by exit grows while a connection is open', async () => {
  const customer = await newCustomer(server, 10n * NANO);
  const stream = await endlessStream(server.ready.socksDedicated, customer.key, origin);
  await stream.flowing;
  const down = async () => (await usageByExit(server, customer.token)).down;
  await expect.poll(down, { timeout: 10_000 }).toBeGreaterThan(100_000n);
  const sooner = await down();
  await expect.poll(down, { timeout: 10_000 }).toBeGreaterThan(sooner);
  stream.socket.destroy();
  await stream.ended;
  await origin.idle();
});

test('customers are told nothing of what is behind an exit, and nobody its password', async () => {
  const owner = await newCustomer(server, NANO);
  const exit = await addExit(server, `http://gone-canary:${PASSWORD}@127.0.0.1:2`, [owner.userId]);
  expect(await mirror.source(server, owner.key)).toBe('503');
  const own = await server.graphql(
    '{ viewer { user { exits { id name kind state } usageByExit { exit } } } }',
    {},
    owner.token,
  );
  expect(own.data).toMatchObject({ viewer: { user: { exits: [{ id: exit.id, name: exit.name, kind: 'HTTP' }] } } });
  expect(JSON.stringify(own)).not.toMatch(/canary|127\.0\.0/);
  const exits = await server.graphql('{ exits { label lastError { detail } } }');
  const records = await server.graphql(
    '{ viewer { user { auditLog(first: 100) { edges { node { action detail { name value } } } } } } }',
  );
  const metrics = await server.rest<string>('GET', '/metrics');
  const said = JSON.stringify([exits, records]) + metrics.body + server.logs;
  for (const answer of [exits, records]) expect(JSON.stringify(answer)).toContain('gone-canary@127.0.0.1:2');
  expect(said).not.toContain(PASSWORD);
});
