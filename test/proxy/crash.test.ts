import { expect, test } from 'vitest';

import { openTunnel, RELAY, startPeer, startProxy, until } from '../harness/socks.ts';

/** A worker that throws when a tunnel to this port is to be dialled. */
const CRASHING = new URL('../harness/crashingWorker.ts', import.meta.url);
const PORT_OF_DEATH = 9;

test.runIf(RELAY === 'fast')(
  'a worker that crashes is settled and replaced: what was delivered is billed, and nothing else',
  async () => {
    let sent = 0;
    await using target = await startPeer((socket) => {
      socket.on('data', (chunk: Buffer) => {
        sent += chunk.length;
        socket.write(chunk);
      });
    });
    await using proxy = await startProxy({ relay: { workerSource: CRASHING } });
    const clients = await Promise.all(Array.from({ length: 5 }, () => openTunnel(proxy.port, target.port)));
    for (const client of clients) {
      client.send(Buffer.alloc(50_000, 1));
      await client.take(50_000);
    }
    const cuts = clients.map(({ socket }) => new Promise((resolve) => socket.once('error', resolve)));
    await expect(openTunnel(proxy.port, PORT_OF_DEATH)).rejects.toThrow('ended');
    for (const cut of cuts) expect(await cut).toMatchObject({ code: 'ECONNRESET' });
    await until(() => target.sockets.size === 0, 'targets closed');
    await until(() => proxy.proxy.stats.crashes === 1, 'noticed');
    expect(proxy.proxy.stats).toMatchObject({ connections: 0, tunnels: 0, handshakes: 0 });
    expect([sent, proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([250_000, 250_000, 250_000]);
    expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
    using again = await openTunnel(proxy.port, target.port, Buffer.from('still here'));
    expect((await again.take(10)).toString()).toBe('still here');
  },
);
