import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until, untilStalled } from '../harness/socks.ts';

const MIB = 1 << 20;
/** Kernel buffers of both connections at their largest, and what the relay may hold on top. */
const MOST_BUFFERED_BYTES = 32 * MIB;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a reader that stalls stops the target, and gets everything in the end', async () => {
  const total = 96 * MIB;
  const chunk = randomBytes(MIB);
  const hash = createHash('sha1');
  for (let count = 0; count < total; count += MIB) hash.update(chunk);
  let written = 0;
  await using target = await startPeer((socket) => {
    const pump = (): void => {
      while (written < total) {
        written += MIB;
        if (!socket.write(chunk)) return void socket.once('drain', pump);
      }
      socket.end();
    };
    pump();
  });
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  client.socket.pause();
  await untilStalled(proxy, 'down');
  expect(written).toBeLessThan(MOST_BUFFERED_BYTES);
  expect(proxy.meter.spent('down')).toBeLessThanOrEqual(written);
  // The target speaks first: some of it came with the reply.
  const received = createHash('sha1').update(client.takeReceived());
  client.socket.removeAllListeners('data');
  client.socket.on('data', (data: Buffer) => received.update(data));
  client.socket.resume();
  await once(client.socket, 'end');
  expect(received.digest('hex')).toBe(hash.digest('hex'));
  client.socket.end();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.spent('down')).toBe(total);
});

test('a target that stalls stops the client', async () => {
  await using target = await startPeer((socket) => socket.pause());
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  const total = 96 * MIB;
  client.socket.write(Buffer.alloc(total));
  await untilStalled(proxy, 'up');
  expect(proxy.meter.spent('up')).toBeLessThan(MOST_BUFFERED_BYTES);
});

test('many stalled readers: what the process holds does not grow with them', async () => {
  const chunk = Buffer.alloc(64 * 1024, 7);
  await using target = await startPeer((socket) => {
    const pump = (): void => {
      while (socket.writable && socket.write(chunk));
    };
    socket.on('drain', pump);
    pump();
  });
  await using proxy = await startProxy();
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  const clients = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const client = await openTunnel(proxy.port, target.port);
      client.socket.pause();
      return client;
    }),
  );
  await untilStalled(proxy, 'down');
  collectGarbage();
  // One read buffer each, and what the clients had received before they stalled.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 512 * 1024);
  for (const client of clients) client.socket.resetAndDestroy();
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.every((session) => session.refunded > 0)).toBe(true);
});

test('a cut upload is billed for what the kernel accepted for the target, to the byte', async () => {
  await using target = await startPeer((socket) => socket.pause());
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  client.socket.write(Buffer.alloc(64 * MIB));
  await untilStalled(proxy, 'up');
  const [session] = proxy.meter.sessions;
  const unaccepted = session?.handlers?.unaccepted?.('up') ?? -1;
  expect(unaccepted).toBeGreaterThan(0);
  const spent = proxy.meter.spent('up');
  proxy.proxy.closeKey(1n, 'KEY_REVOKED');
  await until(() => session?.closed === true, 'closed');
  expect(session?.refunded).toBe(unaccepted);
  expect(proxy.meter.spent('up')).toBe(spent - unaccepted);
});

test('a download that the client resets is billed for what its kernel accepted, to the byte', async () => {
  await using target = await startPeer((socket) => socket.write(Buffer.alloc(64 * MIB)));
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  client.socket.pause();
  await untilStalled(proxy, 'down');
  const [session] = proxy.meter.sessions;
  const unaccepted = session?.handlers?.unaccepted?.('down') ?? -1;
  expect(unaccepted).toBeGreaterThan(0);
  client.socket.resetAndDestroy();
  await until(() => session?.closed === true, 'closed');
  expect(session?.refunded).toBe(unaccepted);
  await until(() => target.sockets.size === 0, 'target closed');
});
