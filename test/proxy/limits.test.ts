import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { expect, test } from 'vitest';

import { openTunnel, RawClient, RELAY, startPeer, startProxy, until } from '../harness/socks.ts';
import { GREETING, login, request } from '../harness/socksMessages.ts';

const silent = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.on('end', () => socket.end()).resume());

test('a key has a limited number of connections, and a place again when one ends', async () => {
  await using target = await silent();
  await using proxy = await startProxy({ limits: { maxConnectionsPerKey: 3 } });
  const clients = await Promise.all([1, 2, 3].map(() => openTunnel(proxy.port, target.port)));
  await expect(openTunnel(proxy.port, target.port)).rejects.toThrow('reply 2');
  expect(proxy.refusals).toEqual(['CONNECTION_LIMIT']);
  expect(proxy.meter.sessions.length).toBe(3);
  clients[0]?.socket.end();
  await until(() => proxy.proxy.stats.connections === 2, 'a place');
  using again = await openTunnel(proxy.port, target.port);
  expect(again.socket.destroyed).toBe(false);
});

test('at the limit of descriptors accepting stops, and goes on when connections end', async () => {
  await using target = await silent();
  await using proxy = await startProxy({ limits: { maxDescriptors: 20 } });
  const clients = await Promise.all(Array.from({ length: 10 }, () => openTunnel(proxy.port, target.port)));
  await until(() => proxy.proxy.stats.paused, 'paused');
  const excess = connect(proxy.port, '127.0.0.1');
  const outcome = await new Promise((resolve) =>
    excess.once('connect', () => resolve('waits')).once('error', ({ message }) => resolve(message)),
  );
  // The fast relay leaves clients in the kernel's queue, which Node's listeners cannot.
  expect(outcome).toMatch(RELAY === 'fast' ? 'waits' : 'ECONNREFUSED');
  excess.destroy();
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 200));
  // Waiting costs nothing: a busy loop would take all of it.
  expect(process.cpuUsage(before).user).toBeLessThan(150_000);
  clients[0]?.socket.end();
  await until(() => !proxy.proxy.stats.paused, 'accepting again');
  using next = await openTunnel(proxy.port, target.port);
  expect(next.socket.destroyed).toBe(false);
});

test('draining lets tunnels end by themselves, refuses new ones and cuts what is left', async () => {
  await using target = await silent();
  await using proxy = await startProxy();
  using handshake = new RawClient(proxy.port);
  handshake.send(GREETING);
  await handshake.take(2);
  using ending = await openTunnel(proxy.port, target.port);
  using lasting = await openTunnel(proxy.port, target.port);
  const drained = proxy.proxy.drain(300);
  await handshake.over;
  await expect(once(connect(proxy.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(proxy.proxy.stats.tunnels).toBe(2);
  ending.socket.end();
  await ending.over;
  await until(() => proxy.proxy.stats.tunnels === 1, 'the first has ended');
  expect(await drained).toEqual({ tunnelsEnded: 1, tunnelsCut: 1 });
  await lasting.over;
  expect(proxy.proxy.stats.connections).toBe(0);
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});

test('listening on IPv6, with IPv6 targets', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket), '::1');
  await using proxy = await startProxy({ host: '::1' });
  expect(proxy.url()).toContain('[::1]');
  using client = new RawClient(proxy.port, '::1');
  const address = [...Array<number>(15).fill(0), 1];
  client.send(GREETING, login(), [5, 1, 0, 4, ...address, target.port >> 8, target.port & 0xff], Buffer.from('six'));
  await client.take(4);
  expect([...(await client.take(22))].slice(0, 20)).toEqual([5, 0, 0, 4, ...address]);
  expect((await client.take(3)).toString()).toBe('six');
});

test('early data is bounded: a client that floods before its answer is not read on', async () => {
  await using target = await silent();
  await using proxy = await startProxy({ authenticate: () => new Promise(() => undefined) });
  const socket: Socket = connect(proxy.port, '127.0.0.1');
  socket.write(Buffer.concat([Buffer.from(GREETING), login(), request(target.port)]));
  socket.write(Buffer.alloc(64 << 20));
  let last = -1;
  await until(() => {
    const settled = last === socket.writableLength && socket.writableLength > 0;
    last = socket.writableLength;
    return settled && proxy.proxy.stats.handshakes === 1;
  }, 'stopped');
  expect(last).toBeGreaterThan(32 << 20);
  socket.destroy();
});
