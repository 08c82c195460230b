import { expect, test, vi } from 'vitest';

import { KERNEL_TIMERS, kernelTimer } from '../../harness/kernelTimer.ts';
import { openTunnel, startPeer, startProxy } from '../../harness/socks.ts';

const silent = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.on('end', () => socket.end()).resume());

test('both ends of a tunnel are probed when they are silent', async () => {
  await using target = await silent();
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  await vi.waitFor(() => {
    // The proxy may have its connection before the target's own process hears of it.
    const [accepted] = target.sockets;
    expect(kernelTimer(proxy.port, client.socket.localPort)).toBe(KERNEL_TIMERS.PROBING);
    expect(kernelTimer(accepted?.remotePort, target.port)).toBe(KERNEL_TIMERS.PROBING);
  });
});
