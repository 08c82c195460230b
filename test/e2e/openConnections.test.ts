import { once } from 'node:events';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { closeConnection, listConnections, openConnectionStream } from '../harness/connectionStream.ts';
import { balanceOf, ledgerCheck, newCustomer, type Customer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { connectThrough } from '../harness/tunnel.ts';

const CREDIT = 10n ** 10n;
const BYTES = 123_456;

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

async function showTargets(server: TestServer, { token, keyId }: Customer, show: boolean): Promise<void> {
  const query = `mutation ($id: ID!, $show: Boolean) { updateApiKey(input: { id: $id, showTargets: $show }) {
    ... on UpdateApiKeySuccess { apiKey { showTargets } } } }`;
  const { data } = await server.graphql(query, { id: keyId, show }, token);
  expect(data).toEqual({ updateApiKey: { apiKey: { showTargets: show } } });
}

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test('what an idle connection has transferred is what it is billed for when it is closed, to the byte', async () => {
  const customer = await newCustomer(server, CREDIT);
  const before = origin.count();
  const socket = await connectThrough(server.ready.socksShared, customer.key, '127.0.0.1', origin.port);
  let received = 0;
  const whole = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received > BYTES) resolve();
    });
  });
  const request = `GET /bytes/${BYTES} HTTP/1.1\r\nhost: origin\r\n\r\n`;
  socket.write(request);
  await whole;
  const transferred = async (): Promise<bigint> => {
    const { edges } = await listConnections(server, customer);
    return edges.reduce((sum, { node }) => sum + BigInt(node.bytesUp) + BigInt(node.bytesDown), 0n);
  };
  await expect.poll(async () => Number(await transferred()) - request.length - received).toBe(0);
  const [{ node } = { node: undefined }] = (await listConnections(server, customer)).edges;
  const ended = once(socket, 'close').catch(() => undefined);
  expect(await closeConnection(server, customer, node?.id ?? '')).toEqual({ id: node?.id });
  await ended;
  await origin.idle();
  const moved = origin.count().up - before.up + origin.count().down - before.down;
  expect(moved).toBe(BigInt(request.length + received));
  const billed = async (): Promise<bigint> => CREDIT - (await balanceOf(server, customer.token));
  await expect.poll(billed).toBe(moved * PRICE_PER_BYTE.SHARED);
});

test('a download is seen growing; closed in the middle, all that was delivered is billed and nothing that was not sent', async () => {
  const customer = await newCustomer(server, CREDIT);
  const before = origin.count();
  const stream = await endlessStream(server.ready.socksShared, customer.key, origin, { pauseAfter: 200_000 });
  await using live = await openConnectionStream({
    ...{ transport: 'websocket', http: server.ready.http, token: customer.token },
  });
  await stream.flowing;
  await live.until(() => Number(live.open()[0]?.bytesDown) >= 200_000);
  const [shown] = live.open();
  expect(shown).toMatchObject({ product: 'SHARED', protocol: 'SOCKS5', target: null, clientAddress: '127.0.0.1' });
  expect(shown?.exit).toMatch(/^exit-[0-9a-f]{12}$/);
  expect(await closeConnection(server, customer, shown?.id ?? '')).toEqual({ id: shown?.id });
  stream.socket.resume();
  await stream.ended;
  await live.until(() => live.open().length === 0);
  expect(await closeConnection(server, customer, shown?.id ?? '')).toEqual({ code: 'NOT_FOUND' });
  await origin.idle();
  const up = origin.count().up - before.up;
  // What the kernel took for the client is billed; a reset throws away what the client had not read of it.
  const billed = async (): Promise<bigint> =>
    (CREDIT - (await balanceOf(server, customer.token))) / PRICE_PER_BYTE.SHARED - up;
  await expect.poll(billed).toBeGreaterThanOrEqual(BigInt(stream.received()));
  expect(await billed()).toBeLessThanOrEqual(origin.count().down - before.down);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

test('targets show from when the owner asks for it, until he does not any more; both are on record', async () => {
  const customer = await newCustomer(server, CREDIT);
  const open = () => connectThrough(server.ready.socksShared, customer.key, '127.0.0.1', origin.port);
  const targets = async () => (await listConnections(server, customer)).edges.map(({ node }) => node.target);
  const sockets = [await open()];
  expect(await targets()).toEqual([null]);
  await showTargets(server, customer, true);
  sockets.push(await open());
  expect(await targets()).toEqual([null, `127.0.0.1:${origin.port}`]);
  await showTargets(server, customer, false);
  await expect.poll(targets).toEqual([null, null]);
  const query = '{ viewer { user { auditLog(first: 2) { edges { node { action detail { name value } } } } } } }';
  const { data } = await server.graphql(query, {}, customer.token);
  expect(JSON.stringify(data)).toMatch(/"showTargets","value":"false".*"showTargets","value":"true"/);
  for (const socket of sockets) socket.destroy();
});
