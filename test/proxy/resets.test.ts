import { expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until, untilStalled } from '../harness/socks.ts';

test('a client that has sent its end and then resets is not kept', async () => {
  await using target = await startPeer((socket) => socket.on('end', () => socket.write('unwanted')).resume());
  await using proxy = await startProxy();
  const client = await openTunnel(proxy.port, target.port, Buffer.from('x'));
  client.socket.end();
  await until(() => proxy.meter.spent('down') === 8, 'answered');
  await until(() => (proxy.meter.sessions[0]?.handlers?.unaccepted?.('down') ?? 1) === 0, 'delivered');
  client.socket.resetAndDestroy();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([1, 8]);
});

test('a client that resets while its target does not read is not kept', async () => {
  await using target = await startPeer((socket) => socket.pause());
  await using proxy = await startProxy();
  const client = await openTunnel(proxy.port, target.port);
  client.socket.write(Buffer.alloc(64 << 20));
  await untilStalled(proxy, 'up');
  client.socket.resetAndDestroy();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});

test('a target that has sent its end and then resets is not kept', async () => {
  await using target = await startPeer((socket) => {
    socket.pause();
    socket.end();
  });
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port, Buffer.from('unread'));
  await client.over;
  await until(() => (proxy.meter.sessions[0]?.handlers?.unaccepted?.('up') ?? 1) === 0, 'delivered');
  for (const socket of target.sockets) socket.resetAndDestroy();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.spent()).toBe(6);
});
