import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { openTunnel, RELAY, startPeer, startProxy } from '../harness/socks.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

/** The timer that the kernel runs for an end of an IPv4 connection (proc(5), `tr`): 00 none, 02 until it probes a silent peer. */
function kernelTimer(localPort: number | undefined, remotePort: number | undefined): string | undefined {
  const has = (address: string | undefined, port = 0): boolean =>
    address?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) === true;
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.find((row) => has(row[1], localPort) && has(row[2], remotePort))?.[5]?.slice(0, 2);
}

const NONE = '00';
const PROBING = '02';

const silent = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.on('end', () => socket.end()).resume());

test.runIf(RELAY === 'fast')('both ends of a tunnel are probed when they are silent', async () => {
  await using target = await silent();
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  const [accepted] = target.sockets;
  await vi.waitFor(() => {
    expect(kernelTimer(proxy.port, client.socket.localPort)).toBe(PROBING);
    expect(kernelTimer(accepted?.remotePort, target.port)).toBe(PROBING);
  });
});

const RUNS = RELAY === 'portable' && process.platform === 'linux';
test.runIf(RUNS)('tunnels that last are probed at both ends, young ones are not', async () => {
  await using target = await silent();
  await using proxy = await startProxy();
  using client = await openTunnel(proxy.port, target.port);
  const [accepted] = target.sockets;
  const timers = (): unknown[] => [
    kernelTimer(proxy.port, client.socket.localPort),
    kernelTimer(accepted?.remotePort, target.port),
  ];
  await vi.waitFor(() => expect(timers()).toEqual([NONE, NONE]));
  vi.advanceTimersByTime(30_000);
  expect(timers()).toEqual([NONE, NONE]);
  vi.advanceTimersByTime(30_000);
  expect(timers()).toEqual([PROBING, PROBING]);
  expect(vi.getTimerCount()).toBe(0);
});
