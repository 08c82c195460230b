import { networkInterfaces } from 'node:os';
import { isDeepStrictEqual } from 'node:util';

import { expect, test } from 'vitest';

import { RawClient, startPeer, startProxy, until, type Peer, type TestProxy } from '../../harness/socks.ts';
import { GREETING, login, request } from '../../harness/socksMessages.ts';

const LOOPBACK = [...Array<number>(15).fill(0), 1];

/** An address of this machine beside ::1: packets between the two do not leave it either. */
const OTHER = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, address, scopeid }) => family === 'IPv6' && address !== '::1' && scopeid === 0)?.address;

/** A target on ::1 that tells from where it was dialled, and ends. */
const mirror = (): Promise<Peer> => startPeer((socket) => socket.end(String(socket.remoteAddress)), '::1');

/** @returns the code of the reply and, when it is 0, the address in it and the one the target has seen */
async function connected(proxy: TestProxy, port: number): Promise<readonly [number | undefined, string?, string?]> {
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(), [5, 1, 0, 4, ...LOOPBACK, port >> 8, port & 0xff]);
  const [code, , type] = (await client.take(8)).subarray(5);
  if (code !== 0) return [code];
  expect(type).toBe(4);
  const local = (await client.take(18)).subarray(0, 16);
  const seen = await client.rest();
  return [code, local.toString('hex'), seen.toString()];
}

test('connections leave from ::1, and the reply says so', async () => {
  await using target = await mirror();
  await using proxy = await startProxy({ exits: 'bind:::1' });
  expect(await connected(proxy, target.port)).toEqual([0, Buffer.from(LOOPBACK).toString('hex'), '::1']);
});

test.skipIf(OTHER === undefined)('and from another IPv6 address of this machine, in turn', async () => {
  await using target = await mirror();
  await using proxy = await startProxy({ exits: `bind:::1,bind:${OTHER}` });
  const sources: unknown[] = [];
  for (let count = 0; count < 4; count++) sources.push((await connected(proxy, target.port))[2]);
  expect(sources).toEqual(['::1', OTHER, '::1', OTHER]);
  // Whoever relays tells of a tunnel after the client has been answered.
  const figures = () => proxy.proxy.exits.SHARED.stats.map(({ opened, connections }) => [opened, connections]);
  const each = [2, 0];
  await until(() => isDeepStrictEqual(figures(), [each, each]), 'two through each, and closed');
});

test('one that is none of this machine is left for another, and alone the fault is ours', async () => {
  await using target = await mirror();
  await using two = await startProxy({ exits: 'bind:2001:db8::7,bind:::1' });
  for (let count = 0; count < 4; count++) expect((await connected(two, target.port))[2]).toBe('::1');
  await using alone = await startProxy({ exits: 'bind:2001:db8::7' });
  expect(await connected(alone, target.port)).toEqual([1]);
  expect(alone.refusals).toEqual(['EXIT_UNAVAILABLE']);
});

test('it reaches no IPv4 target', async () => {
  await using target = await startPeer(() => undefined);
  await using proxy = await startProxy({ exits: 'bind:::1' });
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(), request(target.port));
  expect((await client.rest())[5]).toBe(3);
  expect([target.sockets.size, proxy.refusals.length, proxy.meter.spent()]).toEqual([0, 0, 0]);
});
