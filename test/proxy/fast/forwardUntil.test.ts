import { expect, test } from 'vitest';

import { systemClock } from '../../../src/metering/clock.ts';
import { openTunnel, RawClient, startPeer, startProxy, until } from '../../harness/socks.ts';
import { GREETING, login } from '../../harness/socksMessages.ts';

test('a worker forwards nothing after the moment that the meter has set, and goes on when it is moved', async () => {
  const forwardUntil = new Float64Array(new SharedArrayBuffer(8));
  forwardUntil[0] = systemClock.now() + 60_000;
  let received = 0;
  await using target = await startPeer((socket) => socket.on('data', (chunk: Buffer) => (received += chunk.length)));
  await using proxy = await startProxy({ forwardUntil });
  using client = await openTunnel(proxy.port, target.port, Buffer.from('before'));
  await until(() => received === 6, 'forwarded');
  forwardUntil[0] = systemClock.now() - 1;
  client.send(Buffer.alloc(1_000));
  // The worker has heard of the bytes when it answers those who came after them.
  for (let round = 0; round < 3; round += 1) {
    using other = new RawClient(proxy.port);
    other.send(GREETING, login());
    await other.take(4);
  }
  expect([received, proxy.meter.spent()]).toEqual([6, 6]);
  forwardUntil[0] = systemClock.now() + 60_000;
  await until(() => received === 1_006, 'forwarded again');
  expect(proxy.meter.spent()).toBe(1_006);
});
