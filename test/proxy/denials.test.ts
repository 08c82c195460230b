import { expect, test } from 'vitest';

import type { Denial, KeyRules } from '../../src/keyRules.ts';
import { parseCidr } from '../../src/addresses.ts';
import type { Authentication } from '../../src/proxy/handshake.ts';
import { openTunnel, RawClient, startPeer, startProxy, until } from '../harness/socks.ts';
import { GREETING, KEY, login, request } from '../harness/socksMessages.ts';

const OWNER = { keyId: 1n, accountId: 1n };
const NOT_HERE: Denial = { code: 'NOT_ALLOWED', message: 'The API key may not be used from this address.' };
const EVERYTHING: KeyRules = {
  no: 1,
  scopes: ['PROXY', 'READ', 'MANAGE'],
  networks: [],
  products: [],
  showTargets: false,
};

const echo = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.pipe(socket));

/** Greeting, login and request at once. @returns what the client is told: method, status of the login, reply */
async function told(port: number, target: number): Promise<number[]> {
  using client = new RawClient(port);
  client.send(GREETING, login(), request(target));
  const answer = await client.rest();
  return [...answer].slice(0, 6).filter((_, index) => index % 2 === 1);
}

interface Watcher {
  readonly onDead: (why: Denial) => void;
  readonly onRules: (rules: KeyRules) => void;
}

/** A key of which the proxy is told whatever the test says, and whose watchers the test can wake. */
class TestKey {
  answer: Authentication;
  readonly watchers = new Set<Watcher>();
  readonly options = {
    authenticate: async () => this.answer,
    watchKey: (_key: unknown, onDead: Watcher['onDead'], onRules: Watcher['onRules']) => {
      const watcher = { onDead, onRules };
      this.watchers.add(watcher);
      return () => void this.watchers.delete(watcher);
    },
  };

  constructor(answer: Authentication = { key: OWNER }) {
    this.answer = answer;
  }

  restrict(rules: Partial<KeyRules>): void {
    for (const { onRules } of this.watchers) onRules({ ...EVERYTHING, no: 2, ...rules });
  }

  die(why: Denial, answer: Authentication): void {
    this.answer = answer;
    for (const { onDead } of this.watchers) onDead(why);
  }
}

test('a key that is denied logs in, and its request is refused with the reason; it takes no place', async () => {
  await using target = await echo();
  const key = new TestKey({ key: OWNER, denial: NOT_HERE });
  await using proxy = await startProxy({ ...key.options, limits: { maxConnectionsPerKey: 1 } });
  for (let count = 0; count < 3; count++) expect(await told(proxy.port, target.port)).toEqual([2, 0, 2]);
  expect(proxy.refusals).toEqual(['NOT_ALLOWED', 'NOT_ALLOWED', 'NOT_ALLOWED']);
  expect(new Set(proxy.messages)).toEqual(new Set([NOT_HERE.message]));
  expect([key.watchers.size, proxy.meter.sessions.length]).toEqual([0, 0]);
  key.answer = { key: OWNER };
  using client = await openTunnel(proxy.port, target.port, Buffer.from('now'));
  expect((await client.take(3)).toString()).toBe('now');
});

test('over HTTP CONNECT the refusal says why', async () => {
  const key = new TestKey({ key: OWNER, denial: { code: 'ACCOUNT_SUSPENDED' } });
  await using proxy = await startProxy(key.options);
  const ask = async (): Promise<string> => {
    using client = new RawClient(proxy.port);
    const credentials = Buffer.from(`${KEY}:x`).toString('base64');
    const head = `CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`;
    client.send(Buffer.from(head));
    return (await client.rest()).toString();
  };
  expect(await ask()).toMatch(/^HTTP\/1\.1 403 [^]*ACCOUNT_SUSPENDED/);
  key.answer = { key: OWNER, denial: NOT_HERE };
  expect(await ask()).toMatch(/^HTTP\/1\.1 403 [^]*NOT_ALLOWED[^]*may not be used from this address/);
});

test('new rules end the tunnels that they forbid, and no other', async () => {
  await using target = await echo();
  const key = new TestKey();
  await using proxy = await startProxy(key.options);
  using shared = await openTunnel(proxy.port, target.port, Buffer.from('shared'));
  using dedicated = await openTunnel(proxy.dedicatedPort, target.port, Buffer.from('dedicated'));
  await Promise.all([shared.take(6), dedicated.take(9)]);
  key.restrict({ products: ['DEDICATED'] });
  await shared.over;
  expect(proxy.refusals).toEqual(['NOT_ALLOWED']);
  expect(proxy.messages[0]).toMatch(/product/);
  dedicated.send(Buffer.from('still here'));
  expect((await dedicated.take(10)).toString()).toBe('still here');
  key.restrict({ networks: [parseCidr('192.0.2.0/24')] });
  await dedicated.over;
  expect(proxy.refusals).toEqual(['NOT_ALLOWED', 'NOT_ALLOWED']);
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
});

test('a key that dies takes its tunnels with it, and its next login fails at once', async () => {
  await using target = await echo();
  const key = new TestKey();
  await using proxy = await startProxy(key.options);
  using client = await openTunnel(proxy.port, target.port, Buffer.from('hello'));
  await client.take(5);
  key.die({ code: 'KEY_EXPIRED' }, { refusal: 'KEY_EXPIRED', keyId: 1n });
  await client.over;
  expect(proxy.refusals).toEqual(['KEY_EXPIRED']);
  expect(await told(proxy.port, target.port)).toEqual([2, 1]);
  expect(proxy.refusals).toEqual(['KEY_EXPIRED', 'KEY_EXPIRED']);
});

test('so does that of a key without connections', async () => {
  await using target = await echo();
  const key = new TestKey();
  await using proxy = await startProxy(key.options);
  {
    using client = await openTunnel(proxy.port, target.port, Buffer.from('hello'));
    await client.take(5);
  }
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  const replaced: Denial = { code: 'KEY_REVOKED', message: 'This secret of the API key was replaced.' };
  key.die(replaced, { refusal: 'KEY_REVOKED', message: 'This secret of the API key was replaced.', keyId: 1n });
  expect(await told(proxy.port, target.port)).toEqual([2, 1]);
  expect(proxy.refusals).toEqual(['KEY_REVOKED']);
  expect(proxy.messages).toEqual([replaced.message]);
});

test('a request is judged by what the key may do when it comes', async () => {
  await using target = await echo();
  const key = new TestKey();
  await using proxy = await startProxy(key.options);
  for (const answer of [{ key: OWNER }, { key: OWNER, denial: NOT_HERE }]) {
    key.answer = answer;
    using client = new RawClient(proxy.port);
    client.send(GREETING, login());
    await client.take(4);
    client.send(request(target.port));
    expect((await client.take(2))[1]).toBe('denial' in answer ? 2 : 0);
  }
  expect(proxy.refusals).toEqual(['NOT_ALLOWED']);
});
