import { connect } from 'node:net';

import { expect, test } from 'vitest';

import { RawClient, openTunnel, startPeer, startProxy, until } from '../harness/socks.ts';
import { createTestMeter } from '../harness/socksMeter.ts';
import { GREETING, KEY, login, request } from '../harness/socksMessages.ts';

const HERE = { product: 'SHARED', clientAddress: '127.0.0.1' };

test('whoever is refused, at whatever step, is known with product and address', async () => {
  await using proxy = await startProxy({
    authenticate: (username) =>
      username === KEY ? { key: { keyId: 1n, accountId: 1n } } : { refusal: 'KEY_REVOKED', keyId: 1n },
    fence: { allow: [] },
  });
  using bad = new RawClient(proxy.port);
  bad.send(GREETING, login('lpf_other'));
  await bad.rest();
  using flagged = new RawClient(proxy.dedicatedPort);
  flagged.send(GREETING, login(`${KEY}-colour-red`));
  await flagged.rest();
  using fenced = new RawClient(proxy.port);
  fenced.send(GREETING, login(), request(80));
  await fenced.rest();
  const socket = connect({ port: proxy.port, host: '127.0.0.1', localAddress: '127.0.0.9' });
  socket.write(Buffer.concat([Buffer.from(GREETING), login('lpf_other')]));
  socket.on('error', () => undefined).resume();
  await until(() => proxy.refusals.length === 4, 'four refusals');
  socket.destroy();
  expect(proxy.refusals).toEqual(['KEY_REVOKED', 'BAD_USERNAME', 'EGRESS_FORBIDDEN', 'KEY_REVOKED']);
  expect(proxy.refused).toEqual([
    HERE,
    { ...HERE, product: 'DEDICATED' },
    HERE,
    { ...HERE, clientAddress: '127.0.0.9' },
  ]);
});

test('so is whoever is cut off, by the meter or by a change', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  let end: () => void = () => undefined;
  await using proxy = await startProxy({
    meter: createTestMeter(1_000, 'OUT_OF_CREDIT'),
    watchKey: (_key, onDead) => {
      end = () => onDead({ code: 'KEY_EXPIRED' });
      return () => undefined;
    },
  });
  using spender = await openTunnel(proxy.port, target.port, Buffer.alloc(2_000));
  await spender.rest();
  await until(() => proxy.refusals.length === 1, 'cut off');
  using idle = await openTunnel(proxy.port, target.port);
  end();
  await idle.rest();
  await until(() => proxy.refusals.length === 2, 'expired');
  expect(proxy.refusals).toEqual(['OUT_OF_CREDIT', 'KEY_EXPIRED']);
  expect(proxy.refused).toEqual([HERE, HERE]);
});

test('a revocation that is heard of twice counts each connection once', async () => {
  await using target = await startPeer((socket) => socket.pipe(socket));
  let end: () => void = () => undefined;
  await using proxy = await startProxy({
    watchKey: (_key, onDead) => {
      end = () => onDead({ code: 'KEY_REVOKED' });
      return () => undefined;
    },
  });
  const tunnels = await Promise.all([1, 2, 3].map(() => openTunnel(proxy.port, target.port)));
  end();
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(3);
  for (const tunnel of tunnels) await tunnel.rest();
  await until(() => proxy.proxy.stats.connections === 0, 'all gone');
  expect(proxy.refusals).toEqual(['KEY_REVOKED', 'KEY_REVOKED', 'KEY_REVOKED']);
  expect(proxy.refused).toEqual([HERE, HERE, HERE]);
});
