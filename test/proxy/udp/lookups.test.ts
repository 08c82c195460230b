import { expect, test } from 'vitest';

import { RawClient, startPeer, startProxy, until } from '../../harness/socks.ts';
import { GREETING, KEY, login, requestName } from '../../harness/socksMessages.ts';
import { startUdpPeer, UdpClient, wrappedName } from './fixture.ts';

/** A proxy whose name servers are silent, but for `quick.test`. Each username is a key. */
async function startSilent() {
  const asked: string[] = [];
  const ids = new Map<string, bigint>();
  const proxy = await startProxy({
    authenticate: (username) => {
      ids.set(username, ids.get(username) ?? BigInt(ids.size + 1));
      return { key: { keyId: ids.get(username) ?? 0n, accountId: 1n } };
    },
    fence: {
      lookup: (name) => {
        asked.push(name);
        return name === 'quick.test' ? Promise.resolve(['127.0.0.1']) : new Promise(() => undefined);
      },
    },
  });
  return { proxy, asked, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

test('an association has eight lookups under way; datagrams to more names are dropped', async () => {
  await using target = await startUdpPeer();
  await using silent = await startSilent();
  await using client = await UdpClient.open(silent.proxy.port);
  for (let count = 0; count < 20; count++) client.raw(wrappedName(`n${count}.test`, target.port, Buffer.of(count)));
  client.send('those were all', target.port);
  await client.receive();
  expect(silent.asked).toEqual(Array.from({ length: 8 }, (_, index) => `n${index}.test`));
});

test('connections and associations of a key share its lookups, and other keys have theirs', async () => {
  await using target = await startUdpPeer();
  await using peer = await startPeer((socket) => socket.end('here'));
  await using silent = await startSilent();
  const { proxy, asked } = silent;
  const clients = await Promise.all(Array.from({ length: 3 }, () => UdpClient.open(proxy.port)));
  for (const [index, client] of clients.entries()) {
    for (let count = 0; count < 8; count++)
      client.raw(wrappedName(`d${index}-${count}.test`, target.port, Buffer.of(1)));
  }
  await until(() => asked.length === 24, 'those of three associations');
  const tunnels = Array.from({ length: 20 }, (_, index) => {
    const client = new RawClient(proxy.port);
    client.send(GREETING, login(), requestName(peer.port, `t${index}.test`));
    return client;
  });
  await until(() => proxy.meter.sessions.length === 23, 'all have asked');
  using other = new RawClient(proxy.port);
  other.send(GREETING, login(`${KEY}x`), requestName(peer.port, 'quick.test'));
  expect((await other.rest()).subarray(14).toString()).toBe('here');
  expect(asked).toHaveLength(33);
  for (const tunnel of tunnels) tunnel.socket.destroy();
  for (const client of clients) await client[Symbol.asyncDispose]();
});
