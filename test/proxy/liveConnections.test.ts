import { expect, test } from 'vitest';

import type { KeyRules } from '../../src/keyRules.ts';
import type { LocalConnection } from '../../src/openConnection.ts';
import type { Member } from '../../src/proxy/house.ts';
import { ConnectionView } from '../../src/proxy/connectionView.ts';
import { KeyMembers } from '../../src/proxy/keyMembers.ts';
import { openTunnel, RawClient, startPeer, startProxy, until, type TestProxy } from '../harness/socks.ts';
import { KEY } from '../harness/socksMessages.ts';
import { startUdpPeer, UdpClient } from './udp/fixture.ts';

const echo = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.pipe(socket));

const list = ({ proxy }: TestProxy): LocalConnection[] => proxy.connections.list([1n], 100);

/** Waits until all connections are relayed, and the counters stand at these. */
async function shows(proxy: TestProxy, ...bytes: readonly (readonly [up: number, down: number])[]): Promise<void> {
  const now = (): string => JSON.stringify(list(proxy).map(({ bytesUp, bytesDown }) => [bytesUp, bytesDown]));
  await until(() => now() === JSON.stringify(bytes) && list(proxy).every(({ exit }) => exit !== null), 'the bytes');
}

test('what is open is shown with its bytes, its exit and its protocol, in the order in which it came', async () => {
  await using target = await echo();
  await using proxy = await startProxy();
  const before = Date.now();
  using first = await openTunnel(proxy.port, target.port, Buffer.alloc(10));
  await first.take(10);
  using second = await openTunnel(proxy.dedicatedPort, target.port);
  second.send(Buffer.alloc(70_000));
  await second.take(70_000);
  using third = new RawClient(proxy.port);
  const credentials = Buffer.from(`${KEY}:x`).toString('base64');
  const head = `CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`;
  third.send(Buffer.from(head));
  await third.take('HTTP/1.1 200'.length);
  await shows(proxy, [10, 10], [70_000, 70_000], [0, 0]);
  const shared = { keyId: 1n, exit: 'direct', target: null, clientAddress: '127.0.0.1' };
  const times = list(proxy).map(({ openedAtMs }) => openedAtMs);
  expect(list(proxy)).toEqual([
    { ...shared, no: 1, product: 'SHARED', protocol: 'SOCKS5', bytesUp: 10, bytesDown: 10, openedAtMs: times[0] },
    { ...shared, no: 2, product: 'DEDICATED', protocol: 'SOCKS5', bytesUp: 7e4, bytesDown: 7e4, openedAtMs: times[1] },
    { ...shared, no: 3, product: 'SHARED', protocol: 'HTTP', bytesUp: 0, bytesDown: 0, openedAtMs: times[2] },
  ]);
  expect(times).toEqual(times.toSorted((left, right) => left - right));
  expect(times[0]).toBeGreaterThanOrEqual(before);
  expect(times[2]).toBeLessThanOrEqual(Date.now());
  expect([proxy.proxy.connections.count([1n]), proxy.proxy.connections.count([2n])]).toEqual([3, 0]);
  first.socket.destroy();
  await until(() => list(proxy).length === 2, 'one less');
  expect(list(proxy).map(({ no }) => no)).toEqual([2, 3]);
});

test('where a connection goes is kept for keys that show it alone, and forgotten when they do not any more', async () => {
  await using target = await echo();
  let showTargets = false;
  let obey: (rules: KeyRules) => void = () => undefined;
  await using proxy = await startProxy({
    authenticate: () => Promise.resolve({ key: { keyId: 1n, accountId: 1n, ...(showTargets && { showTargets }) } }),
    watchKey: (_key, _onDead, onRules) => {
      obey = onRules;
      return () => undefined;
    },
  });
  const targets = (): (string | null)[] => list(proxy).map((connection) => connection.target);
  using _before = await openTunnel(proxy.port, target.port);
  expect(targets()).toEqual([null]);
  const rules = { no: 2, scopes: ['PROXY'], networks: [], products: [] } as const;
  obey({ ...rules, showTargets: true });
  // What was not kept is not known.
  expect(targets()).toEqual([null]);
  showTargets = true;
  using _shown = await openTunnel(proxy.port, target.port);
  expect(targets()).toEqual([null, `127.0.0.1:${target.port}`]);
  obey({ ...rules, no: 3, showTargets: false });
  expect(targets()).toEqual([null, null]);
});

test('closing one resets both of its ends at once, and harms no other', async () => {
  await using target = await echo();
  await using proxy = await startProxy();
  using doomed = await openTunnel(proxy.port, target.port, Buffer.from('doomed'));
  expect((await doomed.take(6)).toString()).toBe('doomed');
  const resets = Promise.all(
    [doomed.socket, ...target.sockets].map(
      (socket) => new Promise((resolve) => socket.once('error', ({ message }) => resolve(message))),
    ),
  );
  using other = await openTunnel(proxy.port, target.port, Buffer.from('other'));
  expect((await other.take(5)).toString()).toBe('other');
  const { connections } = proxy.proxy;
  const [{ no } = { no: 0 }] = list(proxy);
  expect([connections.find([2n], no), connections.close([2n], no)]).toEqual([undefined, undefined]);
  expect(connections.close([2n, 1n], no)).toMatchObject({ no, keyId: 1n });
  expect([connections.close([1n], no), connections.find([1n], no)]).toEqual([undefined, undefined]);
  expect(await resets).toEqual(['read ECONNRESET', 'read ECONNRESET']);
  await until(() => proxy.proxy.stats.connections === 1, 'closed');
  expect(proxy.meter.sessions.map(({ closed }) => closed)).toEqual([true, false]);
  other.send(Buffer.from('more'));
  await shows(proxy, [9, 9]);
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([15, 15]);
  // It gives its place free, once.
  expect(connections.count([1n])).toBe(1);
});

test('an association is shown with all its datagrams and closed like the rest; of its exit what customers may know', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ departed: (product, { keyId }, exit) => `${exit} of ${keyId}, ${product}` });
  await using client = await UdpClient.open(proxy.port);
  client.send(Buffer.alloc(100), target.port);
  await client.receive();
  await shows(proxy, [100, 100]);
  const [association] = list(proxy);
  expect(association).toMatchObject({ protocol: 'UDP', exit: 'direct of 1, SHARED', target: null });
  expect(proxy.proxy.connections.close([1n], association?.no ?? 0)).toEqual(association);
  await client.control.over;
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down'), list(proxy)]).toEqual([100, 100, []]);
});

/** A connection of which nothing is left but what is shown. */
function member(keyId: bigint): Member {
  const key = { keyId, accountId: 1n };
  const view = new ConnectionView();
  return {
    product: 'SHARED',
    clientAddress: '192.0.2.1',
    key,
    view,
    denialBy: () => undefined,
    abort: () => undefined,
  };
}

test('a page of 10,000 connections is read without touching the others, over several keys in one order', () => {
  const members = new KeyMembers(10_000);
  for (let count = 0; count < 10_000; count++) {
    const keyId = BigInt(count % 3);
    const added = member(keyId);
    if (added.key !== undefined) members.add(added, added.key);
  }
  const keys = [0n, 1n, 2n];
  expect(members.count(keys)).toBe(10_000);
  let looked = 0;
  const page = members.list(keys, 50, () => (looked++, false));
  expect(page.map(({ no }) => no)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  // One per key: where its page begins.
  expect(looked).toBe(3);
  const seen: number[] = [];
  let last = 0;
  for (;;) {
    const next = members.list(keys, 100, ({ no }) => no <= last);
    if (next.length === 0) break;
    seen.push(...next.map(({ no }) => no));
    last = seen.at(-1) ?? 0;
  }
  expect(seen).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
  const started = performance.now();
  for (let count = 0; count < 100; count++) members.list(keys, 100);
  expect((performance.now() - started) / 100).toBeLessThan(5);
});

test('the order holds when the clock is set back', () => {
  const members = new KeyMembers(10);
  const clock = Date.now;
  const times = [5_000, 3_000, 6_000];
  try {
    Date.now = () => times.shift() ?? 0;
    for (const added of [member(1n), member(1n), member(1n)])
      if (added.key !== undefined) members.add(added, added.key);
  } finally {
    Date.now = clock;
  }
  expect(members.list([1n], 10).map(({ openedAtMs }) => openedAtMs)).toEqual([5_000, 5_000, 6_000]);
});
