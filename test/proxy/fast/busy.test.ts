import { expect, test } from 'vitest';

import { openTunnel, startPeer, startProxy } from '../../harness/socks.ts';

/** A worker whose other work takes longer than a turn may move bytes, in every turn. */
const BUSY = new URL('../../harness/busyWorker.ts', import.meta.url);

test('tunnels move on however long handshakes, orders and timers take', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy({ relay: { workerSource: BUSY } });
  const body = Buffer.alloc(500_000, 7);
  using client = await openTunnel(proxy.port, target.port, body);
  expect((await client.take(body.length)).equals(body)).toBe(true);
});
