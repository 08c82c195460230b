import { expect, test } from 'vitest';

import { startProxy, until } from '../../harness/socks.ts';
import { createTestMeter } from '../../harness/socksMeter.ts';
import { startUdpPeer, UdpClient } from './fixture.ts';

const DATAGRAM = Buffer.alloc(1_000, 7);

test.each([0, 1, 999])(
  'up: 10,000 bytes and %i of credit are ten datagrams of 1,000, and then it ends',
  async (rest) => {
    await using target = await startUdpPeer(() => []);
    await using proxy = await startProxy({ meter: createTestMeter(10_000 + rest, 'OUT_OF_CREDIT') });
    await using client = await UdpClient.open(proxy.port);
    for (let count = 0; count < 20; count++) client.send(DATAGRAM, target.port);
    await client.control.over;
    await until(() => target.received.length >= 10, 'ten');
    expect(await client.silence()).toBe(0);
    expect([target.bytes.in, proxy.meter.spent('up'), proxy.meter.spent()]).toEqual([10_000, 10_000, 10_000]);
    expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
  },
);

test.each([0, 1, 999])(
  'down: 10,000 bytes and %i of credit are ten answers of 1,000, and then it ends',
  async (rest) => {
    await using target = await startUdpPeer(() => Array.from({ length: 20 }, () => DATAGRAM));
    await using proxy = await startProxy({ meter: createTestMeter(10_001 + rest, 'OUT_OF_CREDIT') });
    await using client = await UdpClient.open(proxy.port);
    client.send('?', target.port);
    await client.control.over;
    for (let count = 0; count < 10; count++) expect((await client.receive()).payload).toHaveLength(1_000);
    expect(await client.silence()).toBe(0);
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([1, 10_000]);
    expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
  },
);

test('an empty datagram costs one byte, there and back: credit for six of them lets six through', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy({ meter: createTestMeter(6, 'OUT_OF_CREDIT') });
  await using client = await UdpClient.open(proxy.port);
  for (let count = 0; count < 3; count++) {
    client.send('', target.port);
    expect((await client.receive()).payload).toHaveLength(0);
  }
  client.send('', target.port);
  await client.control.over;
  expect([target.received.length, proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([3, 3, 3]);
  expect(proxy.refusals).toEqual(['OUT_OF_CREDIT']);
});

test('50 associations of one key: not a byte beyond the credit', async () => {
  const datagrams = 333;
  await using target = await startUdpPeer(() => []);
  await using proxy = await startProxy({ meter: createTestMeter(datagrams * 1_000 + 500, 'OUT_OF_CREDIT') });
  const clients = await Promise.all(Array.from({ length: 50 }, () => UdpClient.open(proxy.port)));
  for (let sent = clients.length; sent < datagrams + clients.length; sent += clients.length) {
    for (const client of clients) client.send(DATAGRAM, target.port);
    // No more at once than the target's buffer holds.
    await until(() => target.received.length === Math.min(sent, datagrams), 'all that was paid for');
  }
  await Promise.all(clients.map(({ control }) => control.over));
  for (const client of clients) await client[Symbol.asyncDispose]();
  expect([target.received.length, proxy.meter.spent()]).toEqual([datagrams, datagrams * 1_000]);
});

test('what the credit does not cover waits for more, in order, as far as there is room', async () => {
  await using target = await startUdpPeer(() => []);
  await using proxy = await startProxy({ meter: createTestMeter(1_500) });
  await using client = await UdpClient.open(proxy.port);
  for (let index = 0; index < 5; index++) client.send(Buffer.alloc(1_000, index), target.port);
  await until(() => target.received.length === 1, 'the first');
  expect(await client.silence()).toBe(0);
  expect(proxy.meter.spent()).toBe(1_000);
  proxy.meter.grant(3_500);
  await until(() => target.received.length === 5, 'the rest');
  expect(target.received.map(([first]) => first)).toEqual([0, 1, 2, 3, 4]);
  expect(proxy.meter.spent('up')).toBe(5_000);
});

test('what the kernel refuses, or cannot be wrapped, is not billed', async () => {
  await using target = await startUdpPeer((payload) => [payload.length === 1 ? Buffer.alloc(65_507) : payload]);
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  // A broadcast address: the system does not let datagrams go there.
  client.send('to everybody', target.port, '127.255.255.255');
  await until(() => proxy.meter.sessions[0]?.refunded === 'to everybody'.length, 'given back');
  // The answer fits into a datagram, but not together with its header.
  client.send('!', target.port);
  await until(() => target.bytes.out === 65_507, 'answered');
  client.send('echo', target.port);
  expect((await client.receive()).payload.toString()).toBe('echo');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual(['!echo'.length, 'echo'.length]);
});

test('when the meter ends the session, the association and its connection end with the reason', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.send('before', target.port);
  await client.receive();
  proxy.meter.end('LIMIT_DAY');
  await client.control.over;
  client.send('after', target.port);
  expect(await client.silence()).toBe(0);
  expect(target.received).toHaveLength(1);
  expect(proxy.refusals).toEqual(['LIMIT_DAY']);
});
