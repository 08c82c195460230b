import { expect, test } from 'vitest';

import { createTestMeter } from '../harness/socksMeter.ts';
import { openTunnel, startPeer, startProxy, until, type RawClient } from '../harness/socks.ts';

/** The proxy's answers to greeting, login and request. */
const HANDSHAKE_BYTES = 14;

/** Counts the payload that a client receives until it is cut. */
async function countUntilCut(client: RawClient): Promise<number> {
  client.count();
  await client.over;
  return client.total - HANDSHAKE_BYTES;
}

const endless = (): ReturnType<typeof startPeer> =>
  startPeer((socket) => {
    const chunk = Buffer.alloc(64 * 1024, 5);
    const pump = (): void => {
      while (socket.writable && socket.write(chunk));
    };
    socket.on('drain', pump);
    pump();
  });

test.each([0, 1, 2_047, 1_234_567])('a download with credit for %i bytes gets no byte more', async (credit) => {
  await using target = await endless();
  const meter = createTestMeter(credit, 'OUT_OF_CREDIT');
  await using proxy = await startProxy({ meter });
  using client = await openTunnel(proxy.port, target.port);
  const received = await countUntilCut(client);
  expect(received).toBeLessThanOrEqual(credit);
  expect(meter.spent()).toBeLessThanOrEqual(credit);
  expect(received).toBeLessThanOrEqual(meter.spent());
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
});

test('an upload with credit for 1,000,000 bytes delivers no byte more', async () => {
  let received = 0;
  await using target = await startPeer((socket) => {
    socket.on('data', (chunk: Buffer) => (received += chunk.length));
    socket.on('end', () => socket.end());
  });
  const meter = createTestMeter(1_000_000, 'LIMIT_DAY');
  await using proxy = await startProxy({ meter });
  using client = await openTunnel(proxy.port, target.port);
  client.socket.write(Buffer.alloc(4_000_000));
  await client.over;
  await until(() => target.sockets.size === 0 && proxy.proxy.stats.connections === 0, 'closed');
  expect(received).toBeLessThanOrEqual(1_000_000);
  expect(meter.spent('up')).toBeLessThanOrEqual(1_000_000);
  expect(proxy.refusals).toEqual(['LIMIT_DAY']);
});

test('50 connections on one credit: their sum gets no byte more', async () => {
  await using target = await endless();
  const credit = 50_000_000;
  const meter = createTestMeter(credit);
  await using proxy = await startProxy({ meter });
  const clients = await Promise.all(Array.from({ length: 50 }, () => openTunnel(proxy.port, target.port)));
  const counts = clients.map(countUntilCut);
  await until(() => meter.spent() === credit, 'credit spent');
  // What was spent is delivered before the cut, as long as the clients read.
  await until(() => meter.sessions.every((session) => session.handlers?.unaccepted?.('down') === 0), 'accepted');
  await new Promise((resolve) => setTimeout(resolve, 100));
  meter.end('OUT_OF_CREDIT');
  const results = await Promise.all(counts);
  expect(results.reduce((sum, received) => sum + received, 0)).toBe(credit);
  expect(meter.spent()).toBe(credit);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
});

test('revocation ends streams within a second', async () => {
  await using target = await endless();
  await using proxy = await startProxy();
  const clients = await Promise.all(Array.from({ length: 10 }, () => openTunnel(proxy.port, target.port)));
  const counts = clients.map(countUntilCut);
  await until(() => proxy.meter.spent() > 1_000_000, 'traffic');
  const start = performance.now();
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(10);
  const results = await Promise.all(counts);
  expect(performance.now() - start).toBeLessThan(1_000);
  const received = results.reduce((sum, count) => sum + count, 0);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(received).toBeLessThanOrEqual(proxy.meter.spent());
});
