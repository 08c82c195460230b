import type { IncomingMessage } from 'node:http';

import { expect, test } from 'vitest';

import { parseCidr } from '../src/addresses.ts';
import { clientAddressOf, noteClientAddress } from '../src/clientAddress.ts';

const TRUSTED = ['10.0.0.0/8', 'fd00::/8'];

function addressOf(peer: string, forwarded: string | undefined, trusted = TRUSTED): string {
  const request = { socket: { remoteAddress: peer }, headers: { 'x-forwarded-for': forwarded } };
  noteClientAddress(request as unknown as IncomingMessage, trusted.map(parseCidr));
  return clientAddressOf(request as unknown as IncomingMessage);
}

test.each([
  ['a stranger is not believed', '198.51.100.7', '203.0.113.1', '198.51.100.7'],
  ['a trusted proxy is', '10.1.2.3', '203.0.113.1', '203.0.113.1'],
  ['what the client says itself is not', '10.1.2.3', '192.0.2.99, 203.0.113.1', '203.0.113.1'],
  ['a chain of trusted proxies is followed', '10.1.2.3', '192.0.2.99, 203.0.113.1, 10.9.9.9, fd00::5', '203.0.113.1'],
  ['without the header it is the proxy', '10.1.2.3', undefined, '10.1.2.3'],
  ['what is no address ends the chain', '10.1.2.3', '203.0.113.1, unknown', '10.1.2.3'],
  ['a port is no part of an address', '10.1.2.3', '203.0.113.1:5000', '10.1.2.3'],
  ['IPv4 in IPv6 is IPv4', '::ffff:10.1.2.3', '::ffff:203.0.113.1', '203.0.113.1'],
  ['IPv6', 'fd00::1', '2001:db8::1', '2001:db8:0:0:0:0:0:1'],
  ['all of them trusted: the first', '10.1.2.3', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
])('%s', (_what, peer, forwarded, expected) => {
  expect(addressOf(peer, forwarded)).toBe(expected);
});

test('nobody is trusted by default, and a socket that is gone has no address', () => {
  expect(addressOf('10.1.2.3', '203.0.113.1', [])).toBe('10.1.2.3');
  expect(addressOf('', '203.0.113.1', [])).toBe('');
});

test('a header of many hops costs no more than twenty', () => {
  const hops = ['203.0.113.1', ...Array.from({ length: 30 }, (_, index) => `10.0.0.${index}`)];
  expect(addressOf('10.1.2.3', hops.join(','))).toBe('10.0.0.10');
});
