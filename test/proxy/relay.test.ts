import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';

import { expect, test } from 'vitest';

import { createTestMeter } from '../harness/socksMeter.ts';
import { openTunnel, startPeer, startProxy, until } from '../harness/socks.ts';

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

test("the client's half-close reaches the target, and the answer still comes", async () => {
  await using target = await startPeer(async (socket) => {
    const body = await collect(socket);
    socket.end(`received ${body.length}`);
  });
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  client.socket.end(Buffer.alloc(100_000, 1));
  expect((await client.rest()).toString()).toBe('received 100000');
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([100_000, 15]);
});

test("the target's half-close reaches the client, and uploads still go on", async () => {
  let uploaded: Promise<Buffer> | undefined;
  await using target = await startPeer((socket) => {
    socket.end('greetings');
    uploaded = collect(socket);
  });
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  expect((await client.rest()).toString()).toBe('greetings');
  client.socket.end(Buffer.alloc(100_000, 2));
  expect((await uploaded)?.length).toBe(100_000);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([100_000, 9]);
});

test('early data, its end included, is metered and forwarded', async () => {
  await using target = await startPeer(async (socket) => socket.end(sha1(await collect(socket))));
  await using proxy = await startProxy();
  for (const size of [1, 1_000, 16_384, 300_000]) {
    const before = proxy.meter.spent('up');
    const early = randomBytes(size);
    using client = await openTunnel(proxy.port, target.port, early);
    client.socket.end();
    expect((await client.rest()).toString()).toBe(sha1(early));
    expect(proxy.meter.spent('up') - before).toBe(size);
  }
});

test('random sizes both ways arrive unchanged, and are counted to the byte', async () => {
  let received = 0;
  let sent = 0;
  await using target = await startPeer(async (socket) => {
    const body = await collect(socket);
    received += body.length;
    const answer = Buffer.concat([createHash('sha1').update(body).digest(), randomBytes(body.length)]);
    sent += answer.length;
    socket.end(answer);
  });
  await using proxy = await startProxy();
  const one = async (size: number): Promise<void> => {
    const body = randomBytes(size);
    using client = await openTunnel(proxy.port, target.port);
    client.socket.end(body);
    const answer = await client.rest();
    expect(answer.subarray(0, 20).toString('hex')).toBe(sha1(body));
    expect(answer.length).toBe(size + 20);
  };
  const sizes = Array.from({ length: 100 }, (_, index) => Math.floor(Math.random() * 2 ** (index % 21)));
  for (let start = 0; start < sizes.length; start += 20) await Promise.all(sizes.slice(start, start + 20).map(one));
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([received, sent]);
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});

test.each(['client', 'target'] as const)('a reset of the %s resets the other side', async (side) => {
  await using target = await startPeer(() => undefined);
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  await until(() => target.sockets.size === 1, 'accepted');
  const [accepted] = target.sockets;
  if (accepted === undefined) throw new Error('no connection');
  const [resetting, other] = side === 'client' ? [client.socket, accepted] : [accepted, client.socket];
  const failed = new Promise((resolve) => other.once('error', resolve));
  other.resume();
  resetting.resetAndDestroy();
  expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
});

test('an idle tunnel is cut, a busy one is not', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ limits: { idleTimeoutMs: 300 } });
  using idle = await openTunnel(proxy.port, target.port);
  using busy = await openTunnel(proxy.port, target.port);
  const beat = setInterval(() => busy.socket.write('.'), 50);
  const error = await new Promise((resolve) => idle.socket.once('error', resolve));
  expect(error).toMatchObject({ code: 'ECONNRESET' });
  await busy.take(8);
  clearInterval(beat);
  expect(proxy.proxy.stats.tunnels).toBe(1);
});

test('a tunnel without credit waits, and goes on when credit comes', async () => {
  await using target = await startPeer((socket) => socket.end(Buffer.alloc(10_000, 9)));
  const meter = createTestMeter(0);
  await using proxy = await startProxy({ meter });
  using client = await openTunnel(proxy.port, target.port);
  for (let granted = 0; granted < 10_000; granted += 2_500) {
    await until(() => meter.spent() === granted, `${granted} spent`);
    meter.grant(2_500);
    await client.take(2_500);
  }
  expect((await client.rest()).length).toBe(0);
  expect(meter.spent()).toBe(10_000);
});
