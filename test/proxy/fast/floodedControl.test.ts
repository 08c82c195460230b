import { expect, test } from 'vitest';

import { startProxy, until } from '../../harness/socks.ts';
import { startUdpPeer, UdpClient } from '../udp/fixture.ts';

/** A worker to which little is much. */
const SIPPING = new URL('../../harness/sippingWorker.ts', import.meta.url);

test('an association ends with its connection, however much came there before', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ relay: { workerSource: SIPPING } });
  await using client = await UdpClient.open(proxy.port);
  client.control.socket.write(Buffer.alloc(10_000));
  client.send('still here', target.port);
  expect((await client.receive()).payload.toString()).toBe('still here');
  client.control.socket.end(Buffer.alloc(10_000));
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
});
