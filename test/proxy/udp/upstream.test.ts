import { expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until } from '../../harness/socks.ts';
import { KEY } from '../../harness/socksMessages.ts';
import { hasMicrosocks, startMicrosocks } from '../../harness/upstreams.ts';
import { startUdpPeer, UdpClient, wrappedName } from './fixture.ts';
import { startSocksPeer } from './socksPeer.ts';

test('through an upstream SOCKS5 proxy: its exit, its association, and the payload on our bill', async () => {
  await using target = await startUdpPeer();
  await using upstream = await startProxy({ exits: 'bind:127.0.0.5' });
  await using proxy = await startProxy({ exits: `socks5://${KEY}:x@127.0.0.1:${upstream.port}` });
  await using client = await UdpClient.open(proxy.port);
  for (const size of [0, 1, 1_472, 30_000]) {
    const payload = Buffer.alloc(size, 5);
    client.send(payload, target.port);
    const answer = await client.receive();
    expect(answer).toMatchObject({ host: '127.0.0.1', port: target.port });
    expect(answer.payload.equals(payload)).toBe(true);
  }
  // Names are looked up here: the upstream proxy has none to resolve anew.
  client.raw(wrappedName('localhost', target.port, Buffer.from('name')));
  expect((await client.receive()).host).toBe('127.0.0.1');
  expect(target.senders.every(({ address }) => address === '127.0.0.5')).toBe(true);
  for (const { meter } of [proxy, upstream]) {
    expect([meter.spent('up'), meter.spent('down')]).toEqual([target.bytes.in, target.bytes.out]);
  }
  client.control.socket.end();
  await until(() => upstream.proxy.stats.connections === 0, 'its association has ended, too');
});

test('an upstream proxy does not send our datagrams to where the fence lets nobody go', async () => {
  await using target = await startUdpPeer();
  await using inside = await startUdpPeer(undefined, '127.9.9.9');
  await using upstream = await startSocksPeer({ address: '127.9.9.9', port: inside.port });
  await using proxy = await startProxy({
    exits: `socks5://127.0.0.1:${upstream.port},bind:127.0.0.2`,
    fence: { allow: ['127.0.0.0/16'] },
  });
  await using client = await UdpClient.open(proxy.port);
  client.send('payload', target.port);
  await client.receive();
  expect([inside.received.length, target.senders[0]?.address]).toEqual([0, '127.0.0.2']);
  expect(proxy.proxy.exits.SHARED.stats[0]).toMatchObject({
    failures: 1,
    lastError: { detail: 'SOCKS5: an address for datagrams that cannot be used' },
  });
});

test.each([
  ['the one at which it was reached', '127.0.0.1', '127.0.0.1'],
  ['none, which means that one', '0.0.0.0', '127.0.0.1'],
  ['another one that the fence permits', '127.0.0.9', '127.0.0.9'],
])('the address for datagrams may be %s', async (_name, address, used) => {
  await using relay = await startUdpPeer(undefined, used);
  await using upstream = await startSocksPeer({ address, port: relay.port });
  await using proxy = await startProxy({
    exits: `socks5://127.0.0.1:${upstream.port}`,
    // The exit itself is the operator's choice; 192.0.2.7 is a target that nobody reaches from here.
    fence: { allow: ['127.0.0.9/32', '192.0.2.7/32'] },
  });
  await using client = await UdpClient.open(proxy.port);
  client.send('there and back', 7, '192.0.2.7');
  expect((await client.receive()).payload.toString()).toBe('there and back');
});

test('when the upstream proxy ends the association, ours ends', async () => {
  await using upstream = await startProxy();
  await using proxy = await startProxy({ exits: `socks5://${KEY}:x@127.0.0.1:${upstream.port}` });
  await using client = await UdpClient.open(proxy.port);
  upstream.proxy.closeKey(1n, 'KEY_REVOKED');
  await client.control.over;
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});

test.runIf(hasMicrosocks)('one that relays no datagrams is passed over, and still serves connections', async () => {
  await using target = await startUdpPeer();
  await using peer = await startPeer((socket) => socket.pipe(socket));
  await using upstream = await startMicrosocks('user', 'password');
  const id = `socks5://user@127.0.0.1:${upstream.port}`;
  await using proxy = await startProxy({ exits: `${id.replace('user@', 'user:password@')},bind:127.0.0.2` });
  for (let count = 0; count < 5; count++) {
    await using client = await UdpClient.open(proxy.port);
    client.send('?', target.port);
    await client.receive();
    expect(target.senders.at(-1)?.address).toBe('127.0.0.2');
  }
  const exit = proxy.proxy.exits.SHARED.stats.find((each) => each.id === id);
  expect(exit).toMatchObject({ state: 'HEALTHY', failures: 0, connections: 0 });
  using tunnel = await openTunnel(proxy.port, peer.port, Buffer.from('tcp'));
  expect((await tunnel.take(3)).toString()).toBe('tcp');
});

test('one that is not there is left for another exit, and that is held against it', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ exits: 'socks5://127.0.0.1:1,bind:127.0.0.2' });
  await using client = await UdpClient.open(proxy.port);
  client.send('?', target.port);
  await client.receive();
  expect(target.senders[0]?.address).toBe('127.0.0.2');
  expect(proxy.proxy.exits.SHARED.stats[0]).toMatchObject({ failures: 1, opened: 0 });
});

test('a client that goes while the upstream proxy is asked leaves nothing behind', async () => {
  await using silent = await startPeer((socket) => {
    // Given up before Node has told of the connection, it ends without a reset.
    socket.resume().on('end', () => socket.end());
  });
  await using proxy = await startProxy({ exits: `socks5://127.0.0.1:${silent.port}` });
  const opening = UdpClient.open(proxy.port).catch((error: unknown) => error);
  await until(() => silent.sockets.size === 1, 'asked');
  const since = performance.now();
  proxy.proxy.closeKey(1n, 'KEY_REVOKED');
  expect(await opening).toBeInstanceOf(Error);
  await until(() => proxy.proxy.stats.connections === 0 && silent.sockets.size === 0, 'closed');
  expect(performance.now() - since).toBeLessThan(5_000);
  expect(proxy.refusals).toEqual(['KEY_REVOKED']);
  expect(proxy.proxy.exits.SHARED.stats[0]).toMatchObject({ failures: 0, connections: 0 });
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});
