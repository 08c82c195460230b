import { describe, expect, test } from 'vitest';

import { parseUsername } from '../../src/proxy/username.ts';
import { RawClient, startPeer, startProxy } from '../harness/socks.ts';
import { GREETING, KEY, login, request } from '../harness/socksMessages.ts';

const session = (id: string, ttlMs = 600_000) => ({ key: KEY, flags: { session: { id, ttlMs } } });

describe('the grammar of usernames', () => {
  test.each([
    ['', session('')],
    ['-session-abc', session('abc')],
    ['-session-A_9-ttl-1s', session('A_9', 1_000)],
    ['-ttl-10m-session-abc', session('abc', 600_000)],
    ['-session-abc-ttl-24h', session('abc', 86_400_000)],
    ['-session-abc-ttl-1440m', session('abc', 86_400_000)],
    ['-session-abc-ttl-86400s', session('abc', 86_400_000)],
    [`-session-${'a'.repeat(64)}`, session('a'.repeat(64))],
    ['-session-session', session('session')],
  ])('%j', (flags, expected) => {
    expect(parseUsername(KEY + flags)).toEqual(flags === '' ? { key: KEY, flags: {} } : expected);
  });

  test.each([
    ['-', 'A flag of the username is unknown'],
    ['-country-fr', 'The flag "country" of the username is unknown'],
    ['-Session-abc', 'The flag "Session" of the username is unknown'],
    ['-<script>-1', 'A flag of the username is unknown'],
    ['-session', 'The flag "session" of the username has no value'],
    ['-session-', 'The value of the flag "session" must be'],
    ['-session-é', 'The value of the flag "session" must be'],
    [`-session-${'a'.repeat(65)}`, 'The value of the flag "session" must be'],
    ['-session-abc-', 'A flag of the username is unknown'],
    ['-session-a-b', 'The flag "b" of the username is unknown'],
    ['-session-a-session-b', 'The flag "session" of the username is given twice'],
    ['-ttl-10m', 'The flag "ttl" needs the flag "session"'],
    ['-session-a-ttl', 'The flag "ttl" of the username has no value'],
    ['-session-a-ttl-10', 'The value of the flag "ttl" must be'],
    ['-session-a-ttl-0s', 'The value of the flag "ttl" must be'],
    ['-session-a-ttl-25h', 'The value of the flag "ttl" must be'],
    ['-session-a-ttl-86401s', 'The value of the flag "ttl" must be'],
    ['-session-a-ttl-1d', 'The value of the flag "ttl" must be'],
    [`-session-${'a'.repeat(250)}`, 'The username has more than 255 bytes'],
  ])('%j is refused, and the refusal names what is wrong', (flags, fault) => {
    expect(parseUsername(KEY + flags)).toEqual({ key: KEY, fault: expect.stringContaining(fault) });
  });

  test('256 bytes are too many, also without flags: HTTP could carry more', () => {
    const fault = 'The username has more than 255 bytes.';
    expect(parseUsername('k'.repeat(256))).toEqual({ key: 'k'.repeat(256), fault });
    expect(parseUsername('é'.repeat(128))).toMatchObject({ fault });
  });

  test('255 bytes are not too many', () => {
    expect(parseUsername('k'.repeat(255))).toEqual({ key: 'k'.repeat(255), flags: {} });
    expect(parseUsername(`${'k'.repeat(255 - '-session-abc'.length)}-session-abc`)).toHaveProperty('flags');
  });
});

test('a key with good flags gets through', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  await using proxy = await startProxy();
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(`${KEY}-session-abc-ttl-5m`), request(target.port), Buffer.from('hello'));
  expect([...(await client.take(14))].slice(0, 6)).toEqual([5, 2, 1, 0, 5, 0]);
  expect((await client.take(5)).toString()).toBe('hello');
  expect(proxy.refusals).toEqual([]);
});

test('a key with bad flags fails the authentication, with a reason on the key that names the flag', async () => {
  await using proxy = await startProxy();
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(`${KEY}-country-fr`));
  expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
  expect(proxy.refusals).toEqual(['BAD_USERNAME']);
  expect(proxy.messages).toEqual(['The flag "country" of the username is unknown; there are "session" and "ttl".']);
  expect(proxy.meter.sessions).toEqual([]);
});

test('an unknown key with bad flags is an unknown key', async () => {
  await using proxy = await startProxy();
  using client = new RawClient(proxy.port);
  client.send(GREETING, login('lpf_unknown-country-fr'));
  expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
  expect(proxy.refusals).toEqual([]);
  expect(proxy.proxy.stats.refusals.get('KEY_UNKNOWN')).toBe(1);
});
