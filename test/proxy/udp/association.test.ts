import { expect, test } from 'vitest';

import { openSockets, startProxy, until } from '../../harness/socks.ts';
import { startUdpPeer, UdpClient } from './fixture.ts';

test('datagrams go there and back, and the bill is what the target counted', async () => {
  await using target = await startUdpPeer();
  const before = openSockets();
  {
    await using proxy = await startProxy();
    await using client = await UdpClient.open(proxy.port);
    expect(client.relay.address).toBe('127.0.0.1');
    for (const size of [0, 1, 512, 1_472, 9_000, 65_000]) {
      const payload = Buffer.alloc(size, size % 251);
      client.send(payload, target.port);
      const answer = await client.receive();
      expect(answer).toMatchObject({ host: '127.0.0.1', port: target.port });
      expect(answer.payload.equals(payload)).toBe(true);
    }
    expect(proxy.proxy.stats).toMatchObject({ connections: 1, tunnels: 1 });
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([target.bytes.in, target.bytes.out]);
    client.control.socket.end();
    await client.control.over;
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
    client.send('late', target.port);
    expect(await client.silence()).toBe(0);
    expect(target.received).toHaveLength(6);
  }
  expect(openSockets()).toBe(before);
});
