import { expect, test } from 'vitest';

import { parseConfig } from '../../../src/config.ts';
import { parseExits } from '../../../src/proxy/exits/config.ts';

test('every kind of exit is read, and named without its password', () => {
  const text =
    'direct, bind:203.0.113.5,bind:[2001:db8::1],bind:2001:DB8::2,socks5://user:pa%2Css@Proxy.Example:1080,' +
    'http://us%40er:p%3Ass%25@[2001:db8::3]:3128/,socks5://10.0.0.1:1080,http://user@proxy.example:8080';
  expect(parseExits(text)).toEqual({
    exits: [
      { kind: 'DIRECT', label: 'direct' },
      { kind: 'BIND', label: 'bind:203.0.113.5', address: '203.0.113.5' },
      { kind: 'BIND', label: 'bind:2001:db8::1', address: '2001:db8:0:0:0:0:0:1' },
      { kind: 'BIND', label: 'bind:2001:db8::2', address: '2001:db8:0:0:0:0:0:2' },
      {
        kind: 'SOCKS5',
        label: 'socks5://user@proxy.example:1080',
        host: 'proxy.example',
        port: 1080,
        login: { username: 'user', password: 'pa,ss' },
      },
      {
        kind: 'HTTP',
        label: 'http://us%40er@[2001:db8::3]:3128',
        host: '2001:db8::3',
        port: 3128,
        login: { username: 'us@er', password: 'p:ss%' },
      },
      { kind: 'SOCKS5', label: 'socks5://10.0.0.1:1080', host: '10.0.0.1', port: 1080, login: undefined },
      {
        kind: 'HTTP',
        label: 'http://user@proxy.example:8080',
        host: 'proxy.example',
        port: 8080,
        login: { username: 'user', password: '' },
      },
    ],
  });
});

test.each(['0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'])(
  'bind:%s is no address to leave from',
  (address) => {
    expect(parseExits(`bind:${address}`)).toEqual({
      faults: ['entry 1 must name one address of this machine behind `bind:`; use `direct` for any of them'],
    });
  },
);

const CANARY = 'password-canary';

test.each([
  ['', 'is empty'],
  ['teleport', 'must be `direct`'],
  ['Direct', 'must be `direct`'],
  ['bind:', 'must be `bind:` and'],
  ['bind:example.com', 'must be `bind:` and'],
  ['bind:fe80::1%eth0', 'must be `bind:` and'],
  ['bind:10.0.0.0/8', 'must be `bind:` and'],
  [`https://u:${CANARY}@h:1`, 'must be `direct`'],
  [`socks5://u:${CANARY}@h`, 'must end in a host and a port'],
  [`socks5://u:${CANARY}@:1080`, 'must end in a host and a port'],
  [`socks5://u:${CANARY}@[1.2.3.4]:1080`, 'must end in a host and a port'],
  [`socks5://u:${CANARY}@h:0`, 'must have a port from 1 to 65535'],
  [`socks5://u:${CANARY}@h:65536`, 'must have a port from 1 to 65535'],
  [`http://u:${CANARY}@h:1/path`, 'must be `direct`'],
  [`http://u:${CANARY}@x@h:1`, 'must be `direct`'],
  [`http://u:${CANARY}:x@h:1`, 'must have a `:` within its username or password written as %3A'],
  [`http://u:${CANARY}%@h:1`, 'must have a `%` within its username or password written as %25'],
  [`http://u%3Ax:${CANARY}@h:1`, 'must have no `:` in its username'],
  [`http://:${CANARY}@h:1`, 'must have a username'],
  [`http://u:${CANARY}${'x'.repeat(250)}@h:1`, 'must have 255 bytes'],
  [`http://u:${CANARY}%0a@h:1`, 'must not have control characters'],
])('%j is refused, without its password', (entry, fault) => {
  expect(parseExits(`direct,${entry}`)).toEqual({ faults: [expect.stringContaining(`entry 2 ${fault}`)] });
  expect(JSON.stringify(parseExits(entry))).not.toContain(CANARY);
});

test('every fault is named, at the start', () => {
  const env = { EXITS_SHARED: `teleport,direct,direct,http://u:${CANARY}@h`, EXITS_DEDICATED: 'bind:nowhere' };
  const message = ((): string => {
    try {
      parseConfig(env);
      return '';
    } catch (error) {
      return String(error);
    }
  })();
  expect(message).toContain('  EXITS_SHARED entry 1 must be');
  expect(message).toContain('; entry 3 is there twice; entry 4 must end in');
  expect(message).toContain('  EXITS_DEDICATED entry 1 must be `bind:`');
  expect(message).not.toContain(CANARY);
});
