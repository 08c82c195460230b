import { isIPv6 } from 'node:net';

import type { DialFailure } from './relay.ts';

/** A system call of a dial that failed. */
export interface FailedCall {
  /** Name of the error, such as `ECONNREFUSED`. */
  readonly code: string;
  /** It was to set the address to dial from. */
  readonly binding: boolean;
  /** IP literal that was dialled. */
  readonly address: string;
  /** Address of this machine to dial from; undefined where the system chooses. */
  readonly localAddress: string | undefined;
}

/** Everything else is "host unreachable" like an unknown name. */
const FAILURES: Readonly<Record<string, DialFailure>> = {
  ECONNREFUSED: 'CONNECTION_REFUSED',
  ECONNRESET: 'CONNECTION_REFUSED',
  ENETUNREACH: 'NETWORK_UNREACHABLE',
  ENETDOWN: 'NETWORK_UNREACHABLE',
  EAFNOSUPPORT: 'NETWORK_UNREACHABLE',
  ETIMEDOUT: 'TIMED_OUT',
  EMFILE: 'NO_RESOURCES',
  ENFILE: 'NO_RESOURCES',
  ENOBUFS: 'NO_RESOURCES',
  ENOMEM: 'NO_RESOURCES',
  // Of the local end: no port is free.
  EADDRINUSE: 'NO_RESOURCES',
};

/** What a failed call says about the dial (connect(2), bind(2), ip(7)). */
export function dialFailure({ code, binding, address, localAddress }: FailedCall): DialFailure {
  if (binding && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return 'LOCAL_ADDRESS_MISSING';
  if (code === 'EADDRNOTAVAIL') {
    // No port is free, or this machine has no address of the family, which for IPv6 is common.
    return localAddress === undefined && isIPv6(address) ? 'NETWORK_UNREACHABLE' : 'NO_RESOURCES';
  }
  return FAILURES[code] ?? 'HOST_UNREACHABLE';
}
