import { once } from 'node:events';

import { expect, test } from 'vitest';

import { openSockets, openTunnel, RawClient, startPeer, startProxy, until } from '../../harness/socks.ts';
import { GREETING, login, request } from '../../harness/socksMessages.ts';

/** A worker that never comes back when it is to dial this port. */
const HANGING = new URL('../../harness/hangingWorker.ts', import.meta.url);
const PORT_OF_NO_RETURN = 9;

function hang(port: number): RawClient {
  const client = new RawClient(port);
  client.send(GREETING, login(), request(PORT_OF_NO_RETURN));
  return client;
}

test('a worker that hangs is noticed, settled and replaced', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ relay: { workerSource: HANGING } });
  using client = await openTunnel(proxy.port, target.port, Buffer.alloc(50_000, 1));
  await client.take(50_000);
  const cut = once(client.socket, 'error');
  using fatal = hang(proxy.port);
  expect((await cut)[0]).toMatchObject({ code: 'ECONNRESET' });
  await fatal.over;
  await until(() => proxy.proxy.stats.crashes === 1 && proxy.proxy.stats.connections === 0, 'noticed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([50_000, 50_000]);
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
  using again = await openTunnel(proxy.port, target.port, Buffer.from('still here'));
  expect((await again.take(10)).toString()).toBe('still here');
});

test('a worker that hangs keeps no drain waiting', async () => {
  const before = openSockets();
  await using proxy = await startProxy({ relay: { workerSource: HANGING } });
  using fatal = hang(proxy.port);
  await until(() => proxy.meter.sessions.length === 1, 'asked');
  // The order to dial is sent in the same turn.
  await new Promise((resolve) => setImmediate(resolve));
  const begun = performance.now();
  await proxy.proxy.drain(0);
  expect(performance.now() - begun).toBeLessThan(6_000);
  expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
  await fatal.over;
  await until(() => openSockets() <= before, 'nothing is left');
});
