import { expect, test } from 'vitest';

import { MAX_WAITING, MAX_WAITING_BYTES, Backlog } from '../../../src/proxy/udp/backlog.ts';
import { decodeDatagram, encodeHeader } from '../../../src/proxy/udp/datagram.ts';
import { MAX_NAMES, Names } from '../../../src/proxy/udp/names.ts';
import { MAX_PEERS, Peers } from '../../../src/proxy/udp/peers.ts';
import { RelayPorts } from '../../../src/proxy/udp/relayPorts.ts';

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

test.each([
  ['IPv4', '000000 01 7f000001 0035', '127.0.0.1', 53],
  ['IPv6', '000000 04 20010db8000000000000000000000001 ffff', '2001:db8:0:0:0:0:0:1', 65_535],
  ['mapped IPv4', '000000 04 00000000000000000000ffff01020304 0001', '1.2.3.4', 1],
  ['name', '000000 03 04 612e6263 01bb', 'a.bc', 443],
])('%s: whole with any payload, and nothing while its header is cut short', (_name, hex, host, port) => {
  const header = bytes(hex);
  expect(decodeDatagram(header)).toEqual({ host, port, payload: Buffer.alloc(0) });
  expect(decodeDatagram(Buffer.concat([header, Buffer.from('abc')]))?.payload.toString()).toBe('abc');
  for (let length = 0; length < header.length; length++) {
    expect(decodeDatagram(header.subarray(0, length))).toBeUndefined();
  }
});

test.each([
  ['a reserved byte is set', '010000 01 7f000001 0035'],
  ['the other reserved byte is set', '000100 01 7f000001 0035'],
  ['a fragment', '000001 01 7f000001 0035'],
  ['the last fragment', '000081 01 7f000001 0035'],
  ['an unknown address type', '000000 02 7f000001 0035'],
  ['port 0', '000000 01 7f000001 0000'],
  ['an empty name', '000000 03 00 0035'],
  ['NUL in a name', '000000 03 03 610062 0035'],
])('%s: dropped', (_name, hex) => {
  expect(decodeDatagram(bytes(hex))).toBeUndefined();
});

test('headers of answers', () => {
  expect(encodeHeader('1.2.3.4', 258)).toEqual(Uint8Array.from(bytes('000000 01 01020304 0102')));
  expect(encodeHeader('::1', 1)).toEqual(Uint8Array.from(bytes(`000000 04 ${'00'.repeat(15)}01 0001`)));
});

test('peers are bounded: the one not written to for longest leaves', () => {
  const peers = new Peers();
  for (let port = 1; port <= MAX_PEERS; port++) peers.write('127.0.0.1', port);
  peers.write('127.0.0.1', 1);
  peers.write('127.0.0.2', 1);
  expect(peers.size).toBe(MAX_PEERS);
  expect(peers.find('127.0.0.1', 1)).toBeDefined();
  expect(peers.find('127.0.0.1', 2)).toBeUndefined();
  expect(peers.find('127.0.0.1', 3)).toBeDefined();
  expect(peers.find('127.0.0.2', 2)).toBeUndefined();
});

test('names are asked for once, remembered, and bounded', async () => {
  const asked: string[] = [];
  const names = new Names(async (host, port) => {
    asked.push(`${host}:${port}`);
    return { addresses: ['127.0.0.1'] };
  });
  await Promise.all([names.find('A.test', 1), names.find('a.test', 1)]);
  expect(names.find('a.TEST', 1)).toEqual({ addresses: ['127.0.0.1'] });
  // The fence judges the port, too.
  await names.find('a.test', 2);
  expect(asked).toEqual(['A.test:1', 'a.test:2']);
  for (let count = 0; count < MAX_NAMES; count++) await names.find(`${count}.test`, 1);
  expect(names.find('a.test', 1)).toBeInstanceOf(Promise);
});

test('what waits is bounded by number and by bytes', () => {
  const many = new Backlog();
  for (let count = 0; count < MAX_WAITING; count++) expect(many.take(1)).toBe(true);
  expect(many.take(0)).toBe(false);
  many.give(1);
  expect(many.take(1)).toBe(true);
  const large = new Backlog();
  expect([large.take(MAX_WAITING_BYTES - 1), large.take(2), large.take(1)]).toEqual([true, false, true]);
});

test('our own sockets, by address and port', () => {
  const ports = new RelayPorts();
  ports.add({ address: '127.0.0.1', port: 5 });
  ports.add({ address: '127.0.0.2', port: 5 });
  expect([ports.has('127.0.0.1', 5), ports.has('127.0.0.3', 5), ports.has('127.0.0.1', 6)]).toEqual([
    true,
    false,
    false,
  ]);
  // The unspecified address reaches the machine itself.
  expect(ports.has('0.0.0.0', 5)).toBe(true);
  ports.delete({ address: '127.0.0.1', port: 5 });
  expect([ports.has('127.0.0.1', 5), ports.has('127.0.0.2', 5)]).toEqual([false, true]);
});
