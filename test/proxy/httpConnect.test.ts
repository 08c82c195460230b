import { describe, expect, test } from 'vitest';

import { decodeConnect, decodeProtocol, MalformedRequest } from '../../src/proxy/httpConnect.ts';

const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;
const head = (...lines: string[]): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
const connect = (...headers: string[]): Buffer => head('CONNECT h.test:443 HTTP/1.1', 'Host: h.test:443', ...headers);
const decode = (bytes: Buffer) => decodeConnect(bytes)?.message;

/** @returns the status of the refusal, and its text */
function faultOf(bytes: Buffer): readonly [number, string] {
  try {
    return [200, JSON.stringify(decode(bytes))];
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
    return [error.status, error.message];
  }
}

test('the first byte tells the protocol', () => {
  expect(decodeProtocol(Buffer.alloc(0))).toBeUndefined();
  const protocols = [5, 4, 0x16, 0x40, 0x41, 0x43, 0x5a, 0x5b, 0x63].map((byte) => decodeProtocol(Buffer.of(byte)));
  expect(protocols.map((decoded) => decoded?.message)).toEqual([
    'SOCKS',
    'SOCKS',
    'SOCKS',
    'SOCKS',
    'HTTP',
    'HTTP',
    'HTTP',
    'SOCKS',
    'SOCKS',
  ]);
  expect(protocols.every((decoded) => decoded?.length === 0)).toBe(true);
});

describe('what is read', () => {
  test.each([
    ['h.test:443', { host: 'h.test', port: 443 }],
    ['127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
    ['[2001:db8::1]:65535', { host: '2001:db8::1', port: 65_535 }],
    ['[::ffff:127.0.0.1]:80', { host: '::ffff:127.0.0.1', port: 80 }],
    ['under_score.test:80', { host: 'under_score.test', port: 80 }],
  ])('the target %s', (target, expected) => {
    expect(decode(head(`CONNECT ${target} HTTP/1.1`, `Host: ${target}`))).toEqual({
      ...expected,
      username: undefined,
      wantsJson: false,
    });
  });

  test.each([
    [basic('KEY:x'), 'KEY'],
    [basic('KEY:'), 'KEY'],
    [basic('KEY'), 'KEY'],
    [basic('KEY:a:b'), 'KEY'],
    [basic('KEY:x').replace('Basic', 'bAsIc'), 'KEY'],
    [basic('KEY:x').replace('Basic ', 'Basic   '), 'KEY'],
    [basic(':x'), undefined],
    ['Basic', undefined],
    ['Basic !', undefined],
    ['Bearer KEY', undefined],
  ])('the credentials %s', (authorization, username) => {
    expect(decode(connect(`Proxy-Authorization: ${authorization}`))?.username).toBe(username);
  });

  test('names of headers in any case, values without the blanks around them', () => {
    expect(decode(connect(`PROXY-authorization: \t ${basic('KEY:x')} \t`))?.username).toBe('KEY');
    expect(decode(connect('Accept: text/html', 'accept: Application/JSON;q=0.9'))?.wantsJson).toBe(true);
    expect(decode(connect('X-Empty:', 'Via: caf\xe9', 'Content-Length: 0'))).toBeDefined();
  });

  test('HTTP/1.0 needs no Host', () => {
    expect(decode(head('CONNECT h.test:443 HTTP/1.0'))).toMatchObject({ host: 'h.test', port: 443 });
  });

  test('one hundred headers are not too many', () => {
    expect(decode(connect(...Array<string>(99).fill('X: 1')))).toBeDefined();
  });

  test('nothing is read before the blank line is there, and nothing behind it', () => {
    const whole = connect(`Proxy-Authorization: ${basic('KEY:x')}`);
    for (let length = 0; length < whole.length; length++) {
      expect(decodeConnect(whole.subarray(0, length))).toBeUndefined();
    }
    const more = Buffer.concat([whole, Buffer.from('\x16\x03\x01 payload')]);
    expect(decodeConnect(more)).toEqual(decodeConnect(whole));
    expect(decodeConnect(more)?.length).toBe(whole.length);
  });
});

describe('what is refused', () => {
  test.each<[string, Buffer, number, string]>([
    ['another method', head('GET http://h.test/ HTTP/1.1', 'Host: h.test'), 405, 'CONNECT'],
    ['a method in lower case', head('cONNECT h.test:443 HTTP/1.1', 'Host: h.test'), 405, 'CONNECT'],
    ['HTTP/2', head('PRI * HTTP/2.0'), 505, 'HTTP/1.1'],
    ['no version', head('CONNECT h.test:443'), 400, 'request line'],
    ['two spaces', head('CONNECT  h.test:443 HTTP/1.1'), 400, 'request line'],
    ['a space at the end', head('CONNECT h.test:443 HTTP/1.1 '), 400, 'request line'],
    ['a tab', head('CONNECT\th.test:443 HTTP/1.1'), 400, 'request line'],
    ['no port', head('CONNECT h.test HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['an empty port', head('CONNECT h.test: HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['port 0', head('CONNECT h.test:0 HTTP/1.1', 'Host: h'), 400, 'port'],
    ['port 65536', head('CONNECT h.test:65536 HTTP/1.1', 'Host: h'), 400, 'port'],
    ['an empty host', head('CONNECT :443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['a URL', head('CONNECT http://h.test:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['a user', head('CONNECT u@h.test:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['percent-encoding', head('CONNECT h%2etest:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['IPv6 without brackets', head('CONNECT ::1:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['no IPv6 in brackets', head('CONNECT [1.2.3.4]:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['a zone', head('CONNECT [fe80::1%25eth0]:443 HTTP/1.1', 'Host: h'), 400, 'host:port'],
    ['no Host', head('CONNECT h.test:443 HTTP/1.1'), 400, 'Host'],
    ['two Hosts', connect('Host: other'), 400, 'Host is there twice'],
    ['two credentials', connect('Proxy-Authorization: Basic YQ==', 'proxy-authorization: Basic Yg=='), 400, 'twice'],
    ['a body', connect('Content-Length: 5'), 400, 'content'],
    ['a length that is no number', connect('Content-Length: 0x0, 1'), 400, 'content'],
    ['a chunked body', connect('Transfer-Encoding: chunked'), 400, 'content'],
    ['a folded line', connect('X: 1', ' folded'), 400, 'Header 3 is malformed'],
    ['a space before the colon', connect('X : 1'), 400, 'Header 2 is malformed'],
    ['no colon', connect('X'), 400, 'Header 2 is malformed'],
    ['no name', connect(': 1'), 400, 'Header 2 is malformed'],
    ['NUL', connect('X: a\0b'), 400, 'Header 2 is malformed'],
    ['a bare LF', connect('X: 1\nY: 2'), 400, 'CR LF'],
    ['a bare CR', connect('X: 1\rY: 2'), 400, 'CR LF'],
    ['101 headers', connect(...Array<string>(100).fill('X: 1')), 431, 'more than 100 headers'],
    ['a long head', connect(`X: ${'x'.repeat(8_192)}`), 431, 'more than 8192 bytes'],
    ['a head without end', Buffer.alloc(8_192, 'A'), 431, 'more than 8192 bytes'],
  ])('%s', (_name, bytes, status, text) => {
    const [found, message] = faultOf(bytes);
    expect(message).toContain(text);
    expect(found).toBe(status);
  });

  test('a head of bare LFs never ends', () => {
    expect(decode(Buffer.from('CONNECT h.test:443 HTTP/1.1\nHost: h\n\n'))).toBeUndefined();
  });

  test('a long header costs no more than its length', () => {
    const before = performance.now();
    for (let count = 0; count < 100; count++) {
      faultOf(connect(`X: ${' \t'.repeat(2_000)}${'a '.repeat(1_000)}\x01`));
    }
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});
