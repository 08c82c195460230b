import { createSocket } from 'node:dgram';
import { once } from 'node:events';

import { expect, test } from 'vitest';

import { startProxy } from '../../harness/socks.ts';
import { startSocksPeer } from './socksPeer.ts';
import { startUdpPeer, UdpClient, wrapped } from './fixture.ts';

/** What the kernel answers somebody who sends to a port of ours: nothing, when some socket took it. */
async function refusalTo(port: number): Promise<unknown> {
  const stranger = createSocket('udp4');
  stranger.connect(port, '127.0.0.1');
  await once(stranger, 'connect');
  const refused = once(stranger, 'error');
  stranger.send('from a stranger');
  const [error] = (await refused) as [Error];
  stranger.close();
  await once(stranger, 'close');
  return error;
}

test('once the port of the client is known, the kernel turns strangers away', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.send('mine', target.port);
  await client.receive();
  expect(await refusalTo(client.relay.port)).toMatchObject({ code: 'ECONNREFUSED' });
  client.send('mine again', target.port);
  expect((await client.receive()).payload.toString()).toBe('mine again');
});

test('so it does where the answers of an upstream proxy come in', async () => {
  await using relay = await startUdpPeer();
  await using upstream = await startSocksPeer({ address: '127.0.0.1', port: relay.port });
  await using proxy = await startProxy({ exits: `socks5://127.0.0.1:${upstream.port}` });
  await using client = await UdpClient.open(proxy.port);
  // It sends back what it got: an answer of whom it was sent to.
  client.send('there and back', 7, '127.0.0.1');
  expect((await client.receive()).payload.toString()).toBe('there and back');
  expect(relay.received.map((bytes) => bytes.equals(wrapped('127.0.0.1', 7, Buffer.from('there and back'))))).toEqual([
    true,
  ]);
  expect(await refusalTo(relay.senders[0]?.port ?? 0)).toMatchObject({ code: 'ECONNREFUSED' });
});

test('a client whose socket is away for a while loses datagrams, not its association', async () => {
  await using target = await startUdpPeer(() => []);
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.send('hello', target.port);
  while (target.senders.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const outside = { address: '127.0.0.1', port: target.senders[0]?.port ?? 0 };
  const { port } = client.socket.address();
  const before = client.replace(createSocket('udp4'));
  before.close();
  await once(before, 'close');
  for (let count = 0; count < 5; count++) {
    target.send(Buffer.from('lost'), outside);
    while (proxy.meter.spent('down') + (proxy.meter.sessions[0]?.refunded ?? 0) < (count + 1) * 4) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  client.socket.bind(port, '127.0.0.1');
  await once(client.socket, 'listening');
  const answer = client.receive();
  const again = setInterval(() => target.send(Buffer.from('found'), outside), 10);
  expect((await answer).payload.toString()).toBe('found');
  clearInterval(again);
  expect(proxy.proxy.stats.connections).toBe(1);
});
