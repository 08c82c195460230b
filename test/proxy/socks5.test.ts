import { describe, expect, test } from 'vitest';

import {
  decodeCredentials,
  decodeGreeting,
  decodeRequest,
  encodeReply,
  MalformedMessage,
  type Decoder,
} from '../../src/proxy/socks5.ts';

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const MESSAGES: readonly [string, Decoder<unknown>, string, unknown][] = [
  ['greeting', decodeGreeting, '05 03 00 01 02', { methods: [0, 1, 2] }],
  ['greeting without methods', decodeGreeting, '05 00', { methods: [] }],
  ['credentials', decodeCredentials, '01 02 6162 01 78', { username: 'ab', password: 'x' }],
  ['empty password', decodeCredentials, '01 02 6162 00', { username: 'ab', password: '' }],
  ['empty username', decodeCredentials, '01 00 01 78', { username: '', password: 'x' }],
  ['IPv4', decodeRequest, '05 01 00 01 7f000001 0050', { command: 1, host: '127.0.0.1', port: 80 }],
  ['reserved byte set', decodeRequest, '05 01 ff 01 01020304 ffff', { command: 1, host: '1.2.3.4', port: 65535 }],
  ['name', decodeRequest, '05 01 00 03 04 612e6263 01bb', { command: 1, host: 'a.bc', port: 443 }],
  ['UDP', decodeRequest, '05 03 00 01 00000000 0000', { command: 3, host: '0.0.0.0', port: 0 }],
  [
    'IPv6',
    decodeRequest,
    '05 02 00 04 20010db8000000000000000000000001 0016',
    { command: 2, host: '2001:db8:0:0:0:0:0:1', port: 22 },
  ],
  [
    'mapped IPv4',
    decodeRequest,
    '05 01 00 04 00000000000000000000ffff7f000001 0016',
    { command: 1, host: '127.0.0.1', port: 22 },
  ],
];

describe('decoding', () => {
  test.each(MESSAGES)(
    '%s: incomplete before its last byte, exact with anything behind it',
    (_name, decode, hex, message) => {
      const whole = bytes(hex);
      for (let length = 0; length < whole.length; length++) expect(decode(whole.subarray(0, length))).toBeUndefined();
      expect(decode(whole)).toEqual({ message, length: whole.length });
      expect(decode(Buffer.concat([whole, bytes('05 01 02')]))).toEqual({ message, length: whole.length });
    },
  );

  test('lengths up to 255', () => {
    const long = 'k'.repeat(255);
    const credentials = Buffer.concat([Buffer.of(1, 255), Buffer.from(long), Buffer.of(255), Buffer.from(long)]);
    expect(decodeCredentials(credentials)).toEqual({ message: { username: long, password: long }, length: 513 });
    const name = Buffer.concat([Buffer.of(5, 1, 0, 3, 255), Buffer.from(long), Buffer.of(0, 80)]);
    expect(decodeRequest(name)).toEqual({ message: { command: 1, host: long, port: 80 }, length: 262 });
  });
});

const MALFORMED: readonly [string, Decoder<unknown>, string, number | undefined][] = [
  ['SOCKS4', decodeGreeting, '04 01 0050 7f000001 00', undefined],
  ['HTTP', decodeGreeting, '474554202f', undefined],
  ['authentication version', decodeCredentials, '05 01 61 01 62', undefined],
  ['request version', decodeRequest, '04 01', 1],
  ['address type 0', decodeRequest, '05 01 00 00', 8],
  ['address type 2', decodeRequest, '05 01 00 02', 8],
  ['address type 255', decodeRequest, '05 01 00 ff', 8],
  ['empty name', decodeRequest, '05 01 00 03 00 0050', 4],
  ['NUL in a name', decodeRequest, '05 01 00 03 03 610062 0050', 4],
  ['blank in a name', decodeRequest, '05 01 00 03 03 612062 0050', 4],
  ['UTF-8 in a name', decodeRequest, '05 01 00 03 02 c3a9 0050', 4],
  ['line break in a name', decodeRequest, '05 01 00 03 02 610a 0050', 4],
];

test.each(MALFORMED)('%s is refused', (_name, decode, hex, reply) => {
  let thrown: unknown;
  try {
    decode(bytes(hex));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(MalformedMessage);
  expect(thrown).toMatchObject({ reply });
});

test('replies carry the address dialled from', () => {
  expect(encodeReply(5)).toEqual(Uint8Array.from(bytes('05 05 00 01 00000000 0000')));
  expect(encodeReply(0, '127.0.0.1', 1080)).toEqual(Uint8Array.from(bytes('05 00 00 01 7f000001 0438')));
  expect(encodeReply(0, '::1', 258)).toEqual(
    Uint8Array.from(bytes('05 00 00 04 00000000000000000000000000000001 0102')),
  );
  expect(encodeReply(0, '::ffff:1.2.3.4', 1)).toEqual(Uint8Array.from(bytes('05 00 00 01 01020304 0001')));
});
