import { expect, test } from 'vitest';

import { targetSetback, upstreamUnreached } from '../../src/proxy/exits/attempt.ts';
import { dialFailure } from '../../src/proxy/relay/dialFailure.ts';

const FOUR = '192.0.2.1';
const SIX = '2001:db8::1';

test.each([
  ['EADDRNOTAVAIL', 'LOCAL_ADDRESS_MISSING', 'EXIT'],
  ['EAFNOSUPPORT', 'LOCAL_ADDRESS_MISSING', 'EXIT'],
  ...['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRINUSE'].map((code) => [code, 'NO_RESOURCES', 'NOBODY'] as const),
] as const)('binding: %s is %s, the fault of %s', (code, failure, blame) => {
  const found = dialFailure({ code, binding: true, address: FOUR, localAddress: '192.0.2.7' });
  expect([found, targetSetback(found).blame]).toEqual([failure, blame]);
});

test.each([
  ['EADDRNOTAVAIL', FOUR, '192.0.2.7', 'NO_RESOURCES'],
  ['EADDRNOTAVAIL', SIX, '2001:db8::7', 'NO_RESOURCES'],
  ['EADDRNOTAVAIL', FOUR, undefined, 'NO_RESOURCES'],
  // A machine without IPv6 addresses.
  ['EADDRNOTAVAIL', SIX, undefined, 'NETWORK_UNREACHABLE'],
  ['EADDRINUSE', FOUR, '192.0.2.7', 'NO_RESOURCES'],
  ['EMFILE', FOUR, undefined, 'NO_RESOURCES'],
  ['ECONNREFUSED', FOUR, undefined, 'CONNECTION_REFUSED'],
  ['ENETUNREACH', SIX, undefined, 'NETWORK_UNREACHABLE'],
  ['ETIMEDOUT', FOUR, undefined, 'TIMED_OUT'],
  ['EHOSTUNREACH', FOUR, undefined, 'HOST_UNREACHABLE'],
  ['EACCES', FOUR, undefined, 'HOST_UNREACHABLE'],
] as const)('connecting: %s to %s from %s is %s', (code, address, localAddress, failure) => {
  expect(dialFailure({ code, binding: false, address, localAddress })).toBe(failure);
});

test('what this machine lacks is not held against an upstream proxy either', () => {
  expect(upstreamUnreached('NO_RESOURCES')).toMatchObject({ failure: 'NO_RESOURCES', blame: 'NOBODY' });
  expect(upstreamUnreached('CONNECTION_REFUSED')).toMatchObject({ failure: 'HOST_UNREACHABLE', blame: 'EXIT' });
});
