import { expect, test } from 'vitest';

import { openSockets, openTunnel, startProxy, until } from '../../harness/socks.ts';
import { startUdpPeer, UdpClient } from '../udp/fixture.ts';

/** A worker that throws when a tunnel to this port is to be dialled. */
const CRASHING = new URL('../../harness/crashingWorker.ts', import.meta.url);
const PORT_OF_DEATH = 9;

test('a worker that crashes ends its associations: what went is billed, and nothing is left', async () => {
  await using target = await startUdpPeer();
  const before = openSockets();
  {
    await using proxy = await startProxy({ relay: { workerSource: CRASHING } });
    await using client = await UdpClient.open(proxy.port);
    client.send('before', target.port);
    await client.receive();
    const reset = new Promise((resolve) => client.control.socket.once('error', resolve));
    await expect(openTunnel(proxy.port, PORT_OF_DEATH)).rejects.toThrow('ended');
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
    await until(() => proxy.proxy.stats.crashes === 1, 'noticed');
    expect(proxy.proxy.stats).toMatchObject({ connections: 0, tunnels: 0, handshakes: 0 });
    client.send('after', target.port);
    expect(await client.silence()).toBe(0);
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([6, 6]);
    expect(proxy.meter.sessions.every(({ closed }) => closed)).toBe(true);
    await using again = await UdpClient.open(proxy.port);
    again.send('still here', target.port);
    expect((await again.receive()).payload.toString()).toBe('still here');
  }
  await until(() => openSockets() === before, 'all sockets closed');
});
