import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { KERNEL_TIMERS, kernelTimer } from '../harness/kernelTimer.ts';
import { openTunnel, startPeer, startProxy } from '../harness/socks.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const silent = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.on('end', () => socket.end()).resume());

test.runIf(process.platform === 'linux')('tunnels that last are probed at both ends, young ones are not', async () => {
  await using target = await silent();
  await using proxy = await startProxy();
  const before = vi.getTimerCount();
  using client = await openTunnel(proxy.port, target.port);
  // The proxy may have its connection before the target's own process hears of it.
  const timers = (): unknown[] => [
    kernelTimer(proxy.port, client.socket.localPort),
    kernelTimer([...target.sockets][0]?.remotePort, target.port),
  ];
  await vi.waitFor(() => expect(timers()).toEqual([KERNEL_TIMERS.NONE, KERNEL_TIMERS.NONE]));
  vi.advanceTimersByTime(30_000);
  expect(timers()).toEqual([KERNEL_TIMERS.NONE, KERNEL_TIMERS.NONE]);
  vi.advanceTimersByTime(30_000);
  expect(timers()).toEqual([KERNEL_TIMERS.PROBING, KERNEL_TIMERS.PROBING]);
  client.socket.end();
  await vi.waitFor(() => expect(proxy.proxy.stats.connections).toBe(0));
  vi.advanceTimersByTime(30_000);
  expect(vi.getTimerCount()).toBe(before);
});
