import { expect, test } from 'vitest';

import { openSockets, startProxy, until } from '../../harness/socks.ts';
import { startUdpPeer, UdpClient, wrappedName } from './fixture.ts';

test('datagrams go there and back, and the bill is what the target counted', async () => {
  await using target = await startUdpPeer();
  const before = openSockets();
  {
    await using proxy = await startProxy();
    await using client = await UdpClient.open(proxy.port);
    expect(client.relay.address).toBe('127.0.0.1');
    for (const size of [0, 1, 512, 1_472, 9_000, 65_000]) {
      const payload = Buffer.alloc(size, size % 251);
      client.send(payload, target.port);
      const answer = await client.receive();
      expect(answer).toMatchObject({ host: '127.0.0.1', port: target.port });
      expect(answer.payload.equals(payload)).toBe(true);
    }
    expect(proxy.proxy.stats).toMatchObject({ connections: 1, tunnels: 1 });
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([target.bytes.in, target.bytes.out]);
    client.control.socket.end();
    await client.control.over;
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
    client.send('late', target.port);
    expect(await client.silence()).toBe(0);
    expect(target.received).toHaveLength(6);
  }
  expect(openSockets()).toBe(before);
});

test('one association writes to many targets, of both families, and each answer says whose it is', async () => {
  await using four = await startUdpPeer(() => [Buffer.from('four')]);
  await using other = await startUdpPeer(() => [Buffer.from('other')]);
  await using six = await startUdpPeer(() => [Buffer.from('six')], '::1');
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  for (const [peer, host, name] of [
    [four, '127.0.0.1', 'four'],
    [six, '::1', 'six'],
    [other, '127.0.0.1', 'other'],
  ] as const) {
    client.send('?', peer.port, host);
    const { payload, ...from } = await client.receive();
    expect(payload.toString()).toBe(name);
    expect(from).toEqual({ host: host === '::1' ? '0:0:0:0:0:0:0:1' : host, port: peer.port });
  }
  // One socket towards each family.
  expect(new Set([...four.senders, ...other.senders].map(({ port }) => port)).size).toBe(1);
});

test('a client over IPv6 is told an IPv6 address, and reaches IPv4 targets', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ host: '::1' });
  await using client = await UdpClient.open(proxy.port, { host: '::1' });
  expect(client.relay.address).toBe('0:0:0:0:0:0:0:1');
  client.send('from six', target.port);
  expect((await client.receive()).payload.toString()).toBe('from six');
});

test('names are resolved here, once; answers carry the address', async () => {
  const asked: string[] = [];
  await using target = await startUdpPeer();
  await using proxy = await startProxy({
    fence: {
      lookup: async (name) => {
        asked.push(name);
        return { 'echo.test': ['127.0.0.1'], 'inside.test': ['10.0.0.1'] }[name] ?? [];
      },
    },
  });
  await using client = await UdpClient.open(proxy.port);
  client.raw(wrappedName('unknown.test', target.port, Buffer.from('nowhere')));
  client.raw(wrappedName('inside.test', target.port, Buffer.from('nowhere')));
  for (const text of ['one', 'two', 'three']) client.raw(wrappedName('echo.test', target.port, Buffer.from(text)));
  const answers = [await client.receive(), await client.receive(), await client.receive()];
  expect(answers.map(({ payload }) => payload.toString())).toEqual(['one', 'two', 'three']);
  expect(answers.map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  expect(asked).toEqual(['unknown.test', 'inside.test', 'echo.test']);
  expect(proxy.refusals).toEqual(['EGRESS_FORBIDDEN']);
  expect(proxy.meter.spent('up')).toBe('onetwothree'.length);
});

test('so many datagrams wait for a name, and the others are dropped', async () => {
  let found: (addresses: readonly string[]) => void = () => undefined;
  await using slow = await startUdpPeer(() => []);
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ fence: { lookup: () => new Promise((resolve) => (found = resolve)) } });
  await using client = await UdpClient.open(proxy.port);
  for (let count = 0; count < 100; count++) client.raw(wrappedName('slow.test', slow.port, Buffer.of(count)));
  client.send('those were all', target.port);
  await client.receive();
  found(['127.0.0.1']);
  await until(() => slow.received.length >= 64, 'those that waited');
  expect(await client.silence()).toBe(0);
  expect(slow.received.map(([first]) => first)).toEqual(Array.from({ length: 64 }, (_, index) => index));
  expect(proxy.meter.spent('up')).toBe(64 + 'those were all'.length);
});

test('without a datagram for the idle time it ends, and so does its TCP connection', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ limits: { idleTimeoutMs: 300 } });
  await using client = await UdpClient.open(proxy.port);
  const since = performance.now();
  client.send('a sign of life', target.port);
  await client.receive();
  await client.control.over;
  // Timers may be early by a millisecond.
  expect(performance.now() - since).toBeGreaterThan(298);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});

test('bytes on the TCP connection are no end and do no harm; a reset is an end', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.control.send(Buffer.alloc(300_000));
  client.send('still here', target.port);
  expect((await client.receive()).payload.toString()).toBe('still here');
  client.control.socket.resetAndDestroy();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});

test('draining lets it go on as long as tunnels, then cuts it', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  const drained = proxy.proxy.drain(1_000);
  client.send('meanwhile', target.port);
  expect((await client.receive()).payload.toString()).toBe('meanwhile');
  await drained;
  await client.control.over;
  expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
});

test('a revoked key ends it at once', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.send('before', target.port);
  await client.receive();
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(1);
  await client.control.over;
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  client.send('after', target.port);
  expect(await client.silence()).toBe(0);
  expect(target.received).toHaveLength(1);
  expect(proxy.refusals).toEqual(['KEY_REVOKED']);
});
