import { expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy, until } from '../../harness/socks.ts';

/** A worker whose sockets refuse bytes a few times although they have room. */
const DEAF = new URL('../../harness/deafWorker.ts', import.meta.url);

test('a socket that took nothing although it had room is tried again: no event tells of that', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ relay: { workerSource: DEAF } });
  using client = await openTunnel(proxy.port, target.port, Buffer.from('there and back'));
  expect((await client.take(14)).toString()).toBe('there and back');
  client.socket.end();
  await client.over;
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([14, 14]);
});
