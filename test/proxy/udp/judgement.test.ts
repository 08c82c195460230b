import { expect, test } from 'vitest';

import { openTunnel, RawClient, startPeer, startProxy, until } from '../../harness/socks.ts';
import { GREETING, KEY, login } from '../../harness/socksMessages.ts';
import { associateRequest, UdpClient } from './fixture.ts';

const known = { keyId: 1n, accountId: 1n };

test.each([
  ['no credit', { openSession: async () => ({ refusal: 'OUT_OF_CREDIT' as const }) }, 2, ['OUT_OF_CREDIT']],
  [
    'rules of the key',
    { authenticate: async () => ({ key: known, denial: { code: 'NOT_ALLOWED' as const } }) },
    2,
    ['NOT_ALLOWED'],
  ],
  ['the meter fails', { openSession: () => Promise.reject(new Error('down')) }, 1, []],
])('%s: refused as a CONNECT is', async (_name, options, code, refusals) => {
  await using proxy = await startProxy(options);
  await expect(UdpClient.open(proxy.port)).rejects.toThrow(`reply ${code}`);
  expect(proxy.refusals).toEqual(refusals);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
});

test('a bad key fails at the login', async () => {
  await using proxy = await startProxy();
  using client = new RawClient(proxy.port);
  client.send(GREETING, login('lpf_wrong'), associateRequest());
  expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
});

test('an association is one connection of its key', async () => {
  await using target = await startPeer((socket) => socket.resume());
  await using proxy = await startProxy({ limits: { maxConnectionsPerKey: 1 } });
  await using client = await UdpClient.open(proxy.port);
  await expect(UdpClient.open(proxy.port)).rejects.toThrow('reply 2');
  await expect(openTunnel(proxy.port, target.port)).rejects.toThrow('reply 2');
  expect(proxy.refusals).toEqual(['CONNECTION_LIMIT', 'CONNECTION_LIMIT']);
  client.control.socket.end();
  await until(() => proxy.proxy.stats.connections === 0, 'a place');
  await using again = await UdpClient.open(proxy.port);
  expect(again.control.socket.destroyed).toBe(false);
});

test('associations take their part of the descriptors', async () => {
  await using target = await startPeer((socket) => socket.on('end', () => socket.end()).resume());
  await using proxy = await startProxy({ limits: { maxDescriptors: 20 } });
  await using first = await UdpClient.open(proxy.port);
  await using _second = await UdpClient.open(proxy.port);
  await using _third = await UdpClient.open(proxy.port);
  await using _fourth = await UdpClient.open(proxy.port);
  using tunnel = await openTunnel(proxy.port, target.port);
  // Four of them and a tunnel are nine connections' worth of twenty descriptors: one more does not fit.
  await expect(UdpClient.open(proxy.port)).rejects.toThrow('reply 1');
  expect(proxy.refusals).toEqual(['SERVICE_UNAVAILABLE']);
  expect(proxy.messages[0]).toMatch(/no room for another UDP association/);
  first.control.socket.end();
  await until(() => !proxy.proxy.stats.paused && proxy.proxy.stats.connections === 4, 'room');
  await using again = await UdpClient.open(proxy.port);
  expect([again.control.socket.destroyed, tunnel.socket.destroyed]).toEqual([false, false]);
});

test('a client that goes before its reply leaves nothing behind', async () => {
  let admit: () => void = () => undefined;
  await using proxy = await startProxy({
    authenticate: () => new Promise((resolve) => (admit = () => resolve({ key: known }))),
  });
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(KEY), associateRequest());
  await client.take(2);
  await until(() => proxy.proxy.stats.handshakes === 1, 'asked');
  client.socket.resetAndDestroy();
  admit();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});
