import { once } from 'node:events';
import { createServer } from 'node:net';

import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until } from '../../harness/socks.ts';

const ARCH = Object.getOwnPropertyDescriptor(process, 'arch');
afterEach(() => void Object.defineProperty(process, 'arch', ARCH ?? {}));

test('two workers share the ports, the limits and the credit', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ relay: { workers: 2 }, limits: { maxConnectionsPerKey: 40 } });
  const one = async (index: number): Promise<void> => {
    const client = await openTunnel(proxy.port, target.port, Buffer.alloc(10_000, index));
    const answer = await client.take(10_000);
    expect(answer.every((byte) => byte === index)).toBe(true);
  };
  await Promise.all(Array.from({ length: 40 }, (_, index) => one(index)));
  expect(proxy.proxy.stats).toMatchObject({ connections: 40, tunnels: 40, handshakes: 0, accepted: 40 });
  await expect(openTunnel(proxy.port, target.port)).rejects.toThrow('reply 2');
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(40);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([400_000, 400_000]);
});

test.each([1, 2])('a port that is taken is refused, with %i workers', async (workers) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const failed = startProxy({ relay: { workers }, ports: { SHARED: 0, DEDICATED: port } });
  await expect(failed).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' });
  await using proxy = await startProxy({ relay: { workers } });
  const again = startProxy({ relay: { workers }, ports: { SHARED: proxy.port, DEDICATED: 0 } });
  await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' });
  server.close();
});

test('a machine that is not known gets the portable relay, with a line that says why; or none, when fast was demanded', async () => {
  Object.defineProperty(process, 'arch', { value: 'riscv64' });
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ relay: { choice: 'auto' }, log });
  expect(proxy.proxy.stats.relay).toBe('portable');
  expect(lines.map((line) => (JSON.parse(line) as { reason?: string }).reason)).toEqual([
    'no fast relay for linux on riscv64',
  ]);
  using client = await openTunnel(proxy.port, target.port, Buffer.from('portable'));
  expect((await client.take(8)).toString()).toBe('portable');
  await expect(startProxy({ relay: { choice: 'fast' } })).rejects.toThrow('no fast relay for linux on riscv64');
});
