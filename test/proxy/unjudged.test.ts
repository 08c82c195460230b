import { expect, test } from 'vitest';

import type { ProxyOptions } from '../../src/proxy/server.ts';
import { JUDGE_TIMEOUT_MS } from '../../src/proxy/judging.ts';
import { openTunnel, RawClient, startPeer, startProxy, until, type TestProxy } from '../harness/socks.ts';
import { GREETING, KEY, login, request } from '../harness/socksMessages.ts';
import { associateRequest } from './udp/fixture.ts';

const OWNER = { key: { keyId: 1n, accountId: 1n } } as const;
/** What a client waits at most, with room for a busy machine; it would be cut off after ten seconds without an answer. */
const PATIENCE_MS = JUDGE_TIMEOUT_MS + 3_000;
/** Method chosen, login accepted, general failure: RFC 1928, section 6. */
const TOLD = [5, 2, 1, 0, 5, 1];

async function socks(proxy: TestProxy, asked: Uint8Array): Promise<number[]> {
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(), asked);
  return [...(await client.rest())].slice(0, TOLD.length);
}

async function http(proxy: TestProxy, port: number): Promise<string> {
  using client = new RawClient(proxy.port);
  const credentials = Buffer.from(`${KEY}:x`).toString('base64');
  const head = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`;
  client.send(Buffer.from(head));
  return (await client.rest()).toString();
}

test.each<[string, ProxyOptions['authenticate']]>([
  ['never answers', () => new Promise(() => undefined)],
  ['rejects', () => Promise.reject(new Error('the database is away'))],
  [
    'throws',
    () => {
      throw new Error('the database is away');
    },
  ],
])('who decides about keys %s: the service is unavailable, and nobody has a bad key', async (_name, authenticate) => {
  await using target = await startPeer((socket) => socket.resume());
  await using proxy = await startProxy({ authenticate });
  const asked = performance.now();
  const [stream, datagrams, answer] = await Promise.all([
    socks(proxy, Buffer.concat([request(target.port), Buffer.from('early data')])),
    socks(proxy, associateRequest()),
    http(proxy, target.port),
  ]);
  expect(performance.now() - asked).toBeLessThan(PATIENCE_MS);
  expect([stream, datagrams]).toEqual([TOLD, TOLD]);
  expect(answer).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n[^]*SERVICE_UNAVAILABLE: /);
  expect([...proxy.proxy.stats.refusals]).toEqual([['SERVICE_UNAVAILABLE', 3]]);
  expect(proxy.refusals, 'nobody knows whose key it is').toEqual([]);
  expect([target.sockets.size, proxy.meter.sessions.length], 'nothing is forwarded').toEqual([0, 0]);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
});

test('so it is for a key that was good a moment ago, and it is good again when somebody can tell', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  let away = false;
  await using proxy = await startProxy({
    authenticate: () => (away ? new Promise(() => undefined) : Promise.resolve(OWNER)),
  });
  using before = await openTunnel(proxy.port, target.port, Buffer.from('before'));
  await before.take(6);
  away = true;
  const asked = performance.now();
  expect(await socks(proxy, request(target.port))).toEqual(TOLD);
  expect(performance.now() - asked).toBeLessThan(PATIENCE_MS);
  expect([...proxy.proxy.stats.refusals]).toEqual([['SERVICE_UNAVAILABLE', 1]]);
  away = false;
  using after = await openTunnel(proxy.port, target.port, Buffer.from('after'));
  expect((await after.take(5)).toString()).toBe('after');
});

test('a client that leaves while nobody can tell leaves nothing behind', async () => {
  let judged: () => void = () => undefined;
  await using proxy = await startProxy({
    authenticate: () => new Promise((resolve) => (judged = () => resolve(OWNER))),
  });
  using client = new RawClient(proxy.port);
  client.send(GREETING, login());
  await client.take(2);
  await until(() => proxy.proxy.stats.handshakes === 1, 'asked');
  client.socket.resetAndDestroy();
  judged();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.proxy.stats.refusals.size).toBe(0);
});
