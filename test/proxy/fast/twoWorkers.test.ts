import { expect, test } from 'vitest';

import type { RefusalCode } from '../../../src/errors.ts';
import { openTunnel, RawClient, startPeer, startProxy, until, type TestProxy } from '../../harness/socks.ts';
import { createTestMeter } from '../../harness/socksMeter.ts';
import { GREETING, KEY, login } from '../../harness/socksMessages.ts';
import { startHttpUpstream } from '../../harness/upstreams.ts';

// The kernel chooses the worker by addresses and ports of the client: of so many connections each gets some.
const CLIENTS = 40;
const WORKERS = { workers: 2 };

const openMany = (proxy: TestProxy, port: number, early: Uint8Array = Buffer.alloc(0)): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: CLIENTS }, () => openTunnel(proxy.port, port, early)));

/** A client that has sent its greeting and heard the answer. */
async function greeted(proxy: TestProxy): Promise<RawClient> {
  const client = new RawClient(proxy.port);
  client.send(GREETING);
  await client.take(2);
  return client;
}

test('two workers take upstream proxies in turn, and every connection is counted at its exit', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using one = await startHttpUpstream();
  await using two = await startHttpUpstream();
  const exits = [one, two].map(({ port }) => `http://127.0.0.1:${port}`).join(',');
  await using proxy = await startProxy({ relay: WORKERS, exits });
  const body = Buffer.alloc(20_000, 3);
  const clients = await openMany(proxy, target.port, body);
  const answers = await Promise.all(clients.map((client) => client.take(body.length)));
  for (const answer of answers) expect(answer.equals(body)).toBe(true);
  const opened = (): unknown => proxy.proxy.exits.SHARED.stats.map(({ connections }) => connections);
  await expect.poll(opened).toEqual([CLIENTS / 2, CLIENTS / 2]);
  expect([one.heads.length, two.heads.length]).toEqual([CLIENTS / 2, CLIENTS / 2]);
  for (const client of clients) client.socket.destroy();
  await expect.poll(opened).toEqual([0, 0]);
  expect([one.sockets.size, two.sockets.size]).toEqual([0, 0]);
});

test('one credit is divided among the connections of both, and cut to the byte', async () => {
  let received = 0;
  await using target = await startPeer((socket) => socket.on('data', (chunk: Buffer) => (received += chunk.length)));
  const credit = 3_000_007;
  const meter = createTestMeter(credit, 'OUT_OF_CREDIT');
  await using proxy = await startProxy({ relay: WORKERS, meter });
  const clients = await openMany(proxy, target.port);
  for (const client of clients) client.socket.write(Buffer.alloc(500_000, 1));
  await until(() => proxy.proxy.stats.connections === 0, 'cut');
  await until(() => target.sockets.size === 0, 'closed');
  expect([received, meter.spent('up')]).toEqual([credit, credit]);
  expect(proxy.refusals).toEqual(Array.from({ length: CLIENTS }, () => 'OUT_OF_CREDIT'));
});

test('a key that dies ends its connections in both, and not one more login is believed', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  const state = { dead: false, asked: 0, die: (): void => undefined };
  const key = { keyId: 1n, accountId: 1n };
  await using proxy = await startProxy({
    relay: WORKERS,
    authenticate: (username) => {
      state.asked += 1;
      return username === KEY && !state.dead ? { key } : { refusal: 'KEY_REVOKED' as RefusalCode, keyId: 1n };
    },
    watchKey: (_key, onDead) => {
      state.die = () => onDead({ code: 'KEY_REVOKED' });
      return () => undefined;
    },
  });
  const tunnels = await openMany(proxy, target.port);
  const over = Promise.all(tunnels.map((client) => client.rest()));
  const logins = async (clients: readonly RawClient[]): Promise<unknown[]> => {
    for (const client of clients) client.send(login());
    return Promise.all(clients.map(async (client) => (await client.take(2))[1]));
  };
  const before = await Promise.all(Array.from({ length: CLIENTS }, () => greeted(proxy)));
  const after = await Promise.all(Array.from({ length: CLIENTS }, () => greeted(proxy)));
  const { asked } = state;
  expect(await logins(before)).toEqual(Array.from({ length: CLIENTS }, () => 0));
  // Both believe in the key: nobody was asked.
  expect(state.asked).toBe(asked);
  state.dead = true;
  state.die();
  expect(await logins(after)).toEqual(Array.from({ length: CLIENTS }, () => 1));
  await over;
  for (const client of [...before, ...after]) client.socket.destroy();
  await until(() => proxy.proxy.stats.connections === 0 && target.sockets.size === 0, 'closed');
  expect(new Set(proxy.refusals)).toEqual(new Set(['KEY_REVOKED']));
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});
