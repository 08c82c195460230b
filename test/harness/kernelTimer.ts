import { readFileSync } from 'node:fs';

/** The timer that the kernel runs for an end of an IPv4 connection (proc(5), `tr`): 00 none, 02 until it probes a silent peer. */
export function kernelTimer(localPort: number | undefined, remotePort: number | undefined): string | undefined {
  const has = (address: string | undefined, port = 0): boolean =>
    address?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) === true;
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.find((row) => has(row[1], localPort) && has(row[2], remotePort))?.[5]?.slice(0, 2);
}

export const KERNEL_TIMERS = { NONE: '00', PROBING: '02' } as const;
