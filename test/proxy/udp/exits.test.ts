import { expect, test } from 'vitest';

import type { ExitStats } from '../../../src/proxy/exits/exit.ts';
import { startProxy, until, type TestProxy } from '../../harness/socks.ts';
import { KEY } from '../../harness/socksMessages.ts';
import { startUdpPeer, UdpClient, type UdpPeer } from './fixture.ts';

const TWO = 'bind:127.0.0.2,bind:127.0.0.3';

const stats = ({ proxy }: TestProxy, id: string): ExitStats | undefined =>
  proxy.exits.SHARED.stats.find((exit) => exit.id === id);

/** Opens an association and sends through it. @returns the address that the target saw */
async function sourceOf(proxy: TestProxy, target: UdpPeer, username = KEY): Promise<string | undefined> {
  await using client = await UdpClient.open(proxy.port, { username });
  client.send('?', target.port);
  await client.receive();
  return target.senders.at(-1)?.address;
}

test('exits take turns, a session keeps its own, and a drained one takes nobody', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({
    exits: TWO,
    authenticate: async () => ({ key: { keyId: 1n, accountId: 1n } }),
  });
  const turns = [await sourceOf(proxy, target), await sourceOf(proxy, target), await sourceOf(proxy, target)];
  expect(turns).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2']);
  const sticky = [];
  for (let count = 0; count < 3; count++) sticky.push(await sourceOf(proxy, target, `${KEY}-session-udp-ttl-1m`));
  expect(new Set(sticky).size).toBe(1);
  proxy.proxy.exits.SHARED.drain('bind:127.0.0.2');
  expect([await sourceOf(proxy, target), await sourceOf(proxy, target)]).toEqual(['127.0.0.3', '127.0.0.3']);
});

test('an association counts on its exit while it is open', async () => {
  await using proxy = await startProxy({ exits: TWO });
  await using client = await UdpClient.open(proxy.port);
  expect(stats(proxy, 'bind:127.0.0.2')).toMatchObject({
    connections: 1,
    opened: 1,
    failures: 0,
    latencyMs: undefined,
  });
  client.control.socket.end();
  await until(() => stats(proxy, 'bind:127.0.0.2')?.connections === 0, 'closed');
  expect(stats(proxy, 'bind:127.0.0.2')).toMatchObject({ opened: 1 });
});

test('an address that is none of this machine is left for another exit before the reply', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ exits: 'bind:192.0.2.1,bind:127.0.0.2' });
  expect(await sourceOf(proxy, target)).toBe('127.0.0.2');
  expect(stats(proxy, 'bind:192.0.2.1')).toMatchObject({ failures: 1, opened: 0, connections: 0 });
});

test('when no exit works, or none carries datagrams, the reply is 01 and the reason says which', async () => {
  await using broken = await startProxy({ exits: 'bind:192.0.2.1' });
  await expect(UdpClient.open(broken.port)).rejects.toThrow('reply 1');
  await using unable = await startProxy({ exits: 'http://127.0.0.1:1' });
  await expect(UdpClient.open(unable.port)).rejects.toThrow('reply 1');
  expect([broken.refusals, unable.refusals]).toEqual([['EXIT_UNAVAILABLE'], ['EXIT_UNAVAILABLE']]);
  expect(broken.messages).toEqual(['No exit can take the UDP association now; try again shortly.']);
  expect(unable.messages).toEqual(['No exit of this product carries UDP; use TCP, or the port of another product.']);
  expect([...broken.meter.sessions, ...unable.meter.sessions].every(({ closed }) => closed)).toBe(true);
  expect(stats(unable, 'http://127.0.0.1:1')).toMatchObject({ failures: 0 });
});

test('among several, those that cannot carry datagrams are passed over', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ exits: 'http://127.0.0.1:1,bind:127.0.0.2' });
  expect([await sourceOf(proxy, target), await sourceOf(proxy, target)]).toEqual(['127.0.0.2', '127.0.0.2']);
});

test('an IPv4 exit does not send to IPv6, and a name gets there by its other address', async () => {
  await using six = await startUdpPeer(undefined, '::1');
  await using target = await startUdpPeer();
  await using proxy = await startProxy({
    exits: 'bind:127.0.0.2',
    fence: { lookup: async () => ['::1', '127.0.0.1'] },
  });
  await using client = await UdpClient.open(proxy.port);
  client.send('nowhere', six.port, '::1');
  client.raw(Buffer.concat([Buffer.of(0, 0, 0, 3, 1, 97, target.port >> 8, target.port & 255), Buffer.from('name')]));
  expect(await client.receive()).toMatchObject({ host: '127.0.0.1', port: target.port });
  expect(six.received).toHaveLength(0);
  expect(proxy.meter.spent('up')).toBe('name'.length);
});
