import { createHash, randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import { DESCRIPTOR_BYTES, Descriptors } from '../../../src/proxy/relay/fast/descriptors.ts';
import { CarrierPool } from '../../../src/proxy/relay/fast/pipes.ts';
import { loadSyscalls } from '../../../src/proxy/relay/fast/syscalls.ts';
import { openTunnel, startPeer, startProxy, until, untilStalled } from '../../harness/socks.ts';

/** A worker that gets no pipes. */
const PIPELESS = new URL('../../harness/pipelessWorker.ts', import.meta.url);
const BYTES = 24 << 20;

test('without pipes bytes arrive unchanged and are counted to the byte, though both sides read by fits and starts', async () => {
  const sent = randomBytes(BYTES);
  await using target = await startPeer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (!socket.write(chunk)) socket.pause();
    });
    socket.on('drain', () => socket.resume());
    socket.on('end', () => socket.end());
  });
  await using proxy = await startProxy({ relay: { workerSource: PIPELESS } });
  using client = await openTunnel(proxy.port, target.port, sent.subarray(0, 5_000));
  const hash = createHash('sha1');
  let received = 0;
  client.count();
  client.socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    received += chunk.length;
    if (received % 7 !== 0) return;
    client.socket.pause();
    setImmediate(() => client.socket.resume());
  });
  client.socket.pause();
  client.socket.end(sent.subarray(5_000));
  await untilStalled(proxy, 'up');
  client.socket.resume();
  await client.over;
  expect([received, hash.digest('hex')]).toEqual([BYTES, createHash('sha1').update(sent).digest('hex')]);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([BYTES, BYTES]);
});

test('what stalled tunnels hold without pipes stays with the kernel', () => {
  const calls = loadSyscalls();
  const pool = new CarrierPool(calls, new Descriptors(calls, new SharedArrayBuffer(DESCRIPTOR_BYTES)), 0);
  const before = process.memoryUsage().arrayBuffers;
  const carriers = Array.from({ length: 10_000 }, () => pool.take());
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  for (const carrier of carriers) pool.give(carrier);
});
