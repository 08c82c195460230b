import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

import { expect, test } from 'vitest';

import { startProxy } from '../../harness/socks.ts';
import { freePort } from '../../harness/upstreams.ts';
import { startUdpPeer, UdpClient, wrapped } from './fixture.ts';

/** A socket of somebody else. */
async function stranger(address = '127.0.0.1'): Promise<Socket & AsyncDisposable> {
  const socket = createSocket('udp4').bind(0, address);
  await once(socket, 'listening');
  return Object.assign(socket, {
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  });
}

test('destinations behind the fence are dropped, unbilled and recorded once', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  const forbidden = ['10.0.0.1', '169.254.169.254', '192.168.1.1', '0.0.0.0', '224.0.0.1', 'fe80::1', '64:ff9b::a00:1'];
  for (const host of forbidden) client.send('secret', target.port, host);
  client.send('allowed', target.port);
  expect((await client.receive()).payload.toString()).toBe('allowed');
  expect(proxy.refusals).toEqual(['EGRESS_FORBIDDEN']);
  expect(proxy.meter.spent('up')).toBe('allowed'.length);
  expect(target.received).toHaveLength(1);
});

test('nothing is sent to listeners of our own, nor to sockets of associations', async () => {
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  await using other = await UdpClient.open(proxy.port);
  client.send('to the listener', proxy.port);
  client.raw(wrapped('127.0.0.1', other.relay.port, wrapped('127.0.0.1', client.relay.port, Buffer.from('loop'))));
  client.send('to itself', client.relay.port);
  expect(await client.silence()).toBe(0);
  expect(proxy.refusals).toEqual(['EGRESS_FORBIDDEN']);
  expect(proxy.meter.spent('up')).toBe(0);
});

test('datagrams of other addresses and other ports are not taken', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  await using elsewhere = await stranger('127.0.0.2');
  await using neighbour = await stranger();
  client.raw(wrapped('127.0.0.1', target.port, Buffer.from('from another address')), elsewhere);
  // Not well-formed: it does not fix the port.
  client.raw(Buffer.from('nonsense'), neighbour);
  client.send('mine', target.port);
  await client.receive();
  client.raw(wrapped('127.0.0.1', target.port, Buffer.from('from another port')), neighbour);
  client.send('mine again', target.port);
  await client.receive();
  expect(target.received.map(String)).toEqual(['mine', 'mine again']);
  expect(proxy.meter.spent('up')).toBe('minemine again'.length);
});

test('a port that the request names is the only one', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  const port = await freePort();
  await using client = await UdpClient.open(proxy.port, { named: { host: '127.0.0.1', port } });
  await using neighbour = await stranger();
  client.raw(wrapped('127.0.0.1', target.port, Buffer.from('not that port')), neighbour);
  client.send('that port', target.port);
  await client.receive();
  expect(target.received.map(String)).toEqual(['that port']);
});

test('an address that is not the client’s own is not believed: behind a translator the port is another one', async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port, { named: { host: '192.168.1.7' } });
  await using elsewhere = await stranger('127.0.0.2');
  client.raw(wrapped('127.0.0.1', target.port, Buffer.from('from another address')), elsewhere);
  client.send('translated', target.port);
  await client.receive();
  expect(target.received.map(String)).toEqual(['translated']);
});

test('answers come from those who were written to, and from nobody else', async () => {
  await using target = await startUdpPeer(() => []);
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  client.send('hello', target.port);
  while (target.senders.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const outside = target.senders[0]?.port ?? 0;
  await using otherPort = await stranger();
  await using otherAddress = await stranger('127.0.0.2');
  otherPort.send('unasked', outside, '127.0.0.1');
  otherAddress.send('unasked', outside, '127.0.0.1');
  target.send(Buffer.from('asked'), { port: outside, address: '127.0.0.1' });
  expect((await client.receive()).payload.toString()).toBe('asked');
  expect(await client.silence()).toBe(0);
  expect(proxy.meter.spent('down')).toBe('asked'.length);
});

/** Datagrams; the soak run sets its own number. */
const MALFORMED = Number(process.env['SOCKS_FUZZ'] ?? 20_000);

test(`${MALFORMED} malformed datagrams harm nothing`, async () => {
  await using target = await startUdpPeer();
  await using proxy = await startProxy();
  await using client = await UdpClient.open(proxy.port);
  const whole = wrapped('127.0.0.1', target.port, Buffer.from('payload'));
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  for (let count = 0; count < MALFORMED; count++) {
    const bytes = Buffer.from(whole.subarray(0, random(whole.length + 1)));
    // Never the address: what is well-formed goes to the target, or nowhere.
    for (let faults = random(3); faults >= 0 && bytes.length > 0; faults--)
      bytes[random(Math.min(4, bytes.length))] = random(256);
    client.raw(bytes);
    // No more at once than is read in one turn: what the proxy's buffer does not hold would be lost.
    if (count % 32 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const probe = Buffer.from(`still here, seed ${seed}`);
  client.send(probe, target.port);
  for (;;) if ((await client.receive()).payload.equals(probe)) break;
  expect(proxy.meter.spent('up')).toBe(target.bytes.in);
  client.control.socket.end();
  await client.control.over;
  expect(proxy.proxy.stats.crashes).toBe(0);
}, 600_000);
