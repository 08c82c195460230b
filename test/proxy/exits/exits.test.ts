import { createHash, randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { openTunnel, RawClient, startPeer, startProxy, until, type TestProxy } from '../../harness/socks.ts';
import { createTestMeter } from '../../harness/socksMeter.ts';
import { GREETING, KEY, login, request } from '../../harness/socksMessages.ts';
import { freePort, hasMicrosocks, startHttpUpstream, startMicrosocks } from '../../harness/upstreams.ts';

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const echo = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.pipe(socket));

/** A target that tells from where it was dialled, and ends. */
const mirror = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.end(String(socket.remoteAddress)));

async function sourceOf(proxy: TestProxy, port: number, flags = ''): Promise<string> {
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(KEY + flags), request(port));
  expect([...(await client.take(14))].slice(2, 6)).toEqual([1, 0, 5, 0]);
  const source = await client.rest();
  client.socket.end();
  return source.toString();
}

async function replyTo(proxy: TestProxy, port: number): Promise<number | undefined> {
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(), request(port));
  return (await client.rest())[5];
}

const stats = (proxy: TestProxy) =>
  proxy.proxy.exits.SHARED.stats.map(({ id, state, opened, connections, failures }) => ({
    ...{ id, state, opened, connections, failures },
  }));

describe('bind', () => {
  test('connections leave from the addresses in turn, those of a session from one', async () => {
    await using target = await mirror();
    await using proxy = await startProxy({ exits: 'bind:127.0.0.2,bind:127.0.0.3,bind:127.0.0.4' });
    const sources: string[] = [];
    for (let count = 0; count < 4; count++) sources.push(await sourceOf(proxy, target.port));
    expect(sources).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.2']);
    const sticky = new Set<string>();
    for (let count = 0; count < 4; count++) sticky.add(await sourceOf(proxy, target.port, '-session-abc-ttl-1m'));
    expect([...sticky]).toEqual(['127.0.0.3']);
    const counts = (): unknown => stats(proxy).map(({ opened, connections }) => [opened, connections]);
    // A client may have its answer before the main thread hears from the relay worker.
    await expect.poll(counts).toEqual([2, 5, 1].map((opened) => [opened, 0]));
  });

  test('the reply has the address that was dialled from', async () => {
    await using target = await echo();
    await using proxy = await startProxy({ exits: 'bind:127.0.0.2' });
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(target.port));
    expect([...(await client.take(14)).subarray(8, 12)]).toEqual([127, 0, 0, 2]);
  });

  test('IPv6', async () => {
    await using target = await startPeer((socket) => socket.end(String(socket.remoteAddress)), '::1');
    await using proxy = await startProxy({ exits: 'bind:127.0.0.2,bind:::1' });
    using client = new RawClient(proxy.port);
    const address = [...Array<number>(15).fill(0), 1];
    client.send(GREETING, login(), [5, 1, 0, 4, ...address, target.port >> 8, target.port & 0xff]);
    expect((await client.take(26))[5]).toBe(0);
    expect((await client.rest()).toString()).toBe('::1');
  });

  test('an address that is none of this machine is left for another exit, and in the end alone', async () => {
    await using target = await mirror();
    await using proxy = await startProxy({ exits: 'bind:192.0.2.7,bind:127.0.0.3' });
    for (let count = 0; count < 6; count++) expect(await sourceOf(proxy, target.port)).toBe('127.0.0.3');
    expect(stats(proxy).map(({ state, failures }) => [state, failures])).toEqual([
      ['QUARANTINED', 3],
      ['HEALTHY', 0],
    ]);
  });

  test('where it is the only one the fault is ours', async () => {
    await using target = await mirror();
    await using proxy = await startProxy({ exits: 'bind:192.0.2.7' });
    expect(await replyTo(proxy, target.port)).toBe(1);
    expect(proxy.refusals).toEqual(['EXIT_UNAVAILABLE']);
    expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
  });
});

describe.skipIf(!hasMicrosocks)('an upstream SOCKS5 proxy (package microsocks)', () => {
  test('with its login: bytes arrive unchanged both ways, and are counted as without it', async () => {
    await using target = await echo();
    await using upstream = await startMicrosocks('user', 'p:a,s s');
    await using proxy = await startProxy({ exits: `socks5://user:p%3Aa%2Cs%20s@127.0.0.1:${upstream.port}` });
    const bytes = randomBytes(1_000_000);
    using client = await openTunnel(proxy.port, target.port, bytes.subarray(0, 10_000));
    client.send(bytes.subarray(10_000));
    expect(sha1(await client.take(bytes.length))).toBe(sha1(bytes));
    client.socket.end();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([bytes.length, bytes.length]);
    expect(stats(proxy)[0]).toMatchObject({ opened: 1, connections: 0, failures: 0 });
  });

  test('its own address is not fenced, that of the target is', async () => {
    await using target = await echo();
    await using upstream = await startMicrosocks('user', 'pass');
    await using proxy = await startProxy({
      exits: `socks5://user:pass@127.0.0.1:${upstream.port}`,
      fence: { allow: [] },
    });
    expect(await replyTo(proxy, target.port)).toBe(2);
    expect(proxy.refusals).toEqual(['EGRESS_FORBIDDEN']);
  });

  test('a target that refuses is 05 through it too, and free; a wrong login is our fault', async () => {
    const closed = await freePort();
    await using upstream = await startMicrosocks('user', 'pass');
    await using proxy = await startProxy({ exits: `socks5://user:pass@127.0.0.1:${upstream.port}` });
    expect(await replyTo(proxy, closed)).toBe(5);
    await using wrong = await startProxy({ exits: `socks5://user:wrong@127.0.0.1:${upstream.port}` });
    expect(await replyTo(wrong, closed)).toBe(1);
    expect(wrong.refusals).toEqual(['EXIT_UNAVAILABLE']);
    expect(wrong.proxy.exits.SHARED.stats[0]?.lastError?.detail).toBe('SOCKS5: the login was refused');
    expect([proxy.meter.spent(), wrong.meter.spent()]).toEqual([0, 0]);
  });
});

describe('an upstream HTTP proxy', () => {
  test('is asked with the login for the address that was checked, and its address is not told', async () => {
    await using target = await echo();
    await using upstream = await startHttpUpstream();
    await using proxy = await startProxy({ exits: `http://user:pass@localhost:${upstream.port}` });
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(target.port), Buffer.from('hello'));
    expect([...(await client.take(14)).subarray(4)]).toEqual([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect((await client.take(5)).toString()).toBe('hello');
    expect(upstream.heads).toEqual([
      `CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nProxy-Authorization: Basic dXNlcjpwYXNz`,
    ]);
  });

  test('a target that speaks first, and ends, in one packet with the answer', async () => {
    await using upstream = await startHttpUpstream(() => 'HTTP/1.1 200 OK\r\n\r\nSSH-2.0 welcome');
    await using proxy = await startProxy({ exits: `http://127.0.0.1:${upstream.port}` });
    using client = await openTunnel(proxy.port, 22);
    expect((await client.rest()).toString()).toBe('SSH-2.0 welcome');
    client.socket.end();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([0, 15]);
  });

  test('what it sends with its answer is held until there is credit', async () => {
    await using upstream = await startHttpUpstream(() => 'HTTP/1.1 200 OK\r\n\r\n0123456789');
    await using proxy = await startProxy({ meter: createTestMeter(4), exits: `http://127.0.0.1:${upstream.port}` });
    using client = await openTunnel(proxy.port, 22);
    expect((await client.take(4)).toString()).toBe('0123');
    expect(proxy.meter.spent('down')).toBe(4);
    proxy.meter.grant(100);
    expect((await client.rest()).toString()).toBe('456789');
    expect(proxy.meter.spent('down')).toBe(10);
  });

  test('bytes arrive unchanged both ways, half-closes too', async () => {
    await using target = await startPeer((socket) => {
      const hash = createHash('sha1');
      socket.on('data', (chunk: Buffer) => hash.update(chunk));
      socket.on('end', () => socket.end(hash.digest('hex')));
    });
    await using upstream = await startHttpUpstream();
    await using proxy = await startProxy({ exits: `http://127.0.0.1:${upstream.port}` });
    const bytes = randomBytes(500_000);
    using client = await openTunnel(proxy.port, target.port, bytes);
    client.socket.end();
    expect((await client.rest()).toString()).toBe(sha1(bytes));
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([bytes.length, 40]);
  });

  test('it must not be a listener of ours', async () => {
    await using target = await echo();
    const port = await freePort();
    await using proxy = await startProxy({ exits: `http://127.0.0.1:${port}`, ports: { SHARED: port } });
    expect(await replyTo(proxy, target.port)).toBe(1);
    expect(proxy.proxy.exits.SHARED.stats[0]?.lastError?.detail).toBe(
      'the upstream proxy has no address: EGRESS_FORBIDDEN',
    );
    // Our client, and nobody else.
    expect(proxy.proxy.stats.accepted).toBe(1);
  });
});

describe('failover before the reply', () => {
  test('from upstream proxies that are away, refuse us or hang up, to one that works', async () => {
    await using target = await echo();
    await using refusing = await startHttpUpstream(() => 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    await using closing = await startHttpUpstream(() => '');
    await using good = await startHttpUpstream();
    const [away, no, hangsUp, works] = [await freePort(), refusing.port, closing.port, good.port].map(
      (port) => `http://127.0.0.1:${port}`,
    );
    await using proxy = await startProxy({ exits: [away, no, hangsUp, works].join(',') });
    using client = await openTunnel(proxy.port, target.port, Buffer.from('hello'));
    expect((await client.take(5)).toString()).toBe('hello');
    const counts = (): unknown => stats(proxy).map(({ id, failures, connections }) => [id, failures, connections]);
    await expect.poll(counts).toEqual([
      [away, 1, 0],
      [no, 1, 0],
      [hangsUp, 1, 0],
      [works, 0, 1],
    ]);
    expect(proxy.refusals).toEqual([]);
  });

  test('a client that leaves while an upstream proxy is asked leaves nothing behind', async () => {
    await using upstream = await startPeer((socket) => socket.on('end', () => socket.end()).resume());
    await using proxy = await startProxy({ exits: `socks5://127.0.0.1:${upstream.port}` });
    const client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(80));
    await until(() => upstream.sockets.size === 1, 'asked');
    client.socket.resetAndDestroy();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    await until(() => upstream.sockets.size === 0, 'given up');
    expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true]);
    expect(stats(proxy)[0]).toMatchObject({ state: 'HEALTHY', failures: 0, connections: 0 });
  });
});
