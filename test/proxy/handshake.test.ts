import { describe, expect, test } from 'vitest';

import { openTunnel, RawClient, startPeer, startProxy, until } from '../harness/socks.ts';
import { GREETING, login, request, requestName } from '../harness/socksMessages.ts';

const echo = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.pipe(socket));

describe('method selection', () => {
  test.each([
    ['2 alone', [2], [5, 2]],
    ['curl: 0, 1, 2', [0, 1, 2], [5, 2]],
    ['socks-proxy-agent: 0, 2', [0, 2], [5, 2]],
    ['0 alone', [0], [5, 0xff]],
    ['GSSAPI alone', [1], [5, 0xff]],
    ['nothing', [], [5, 0xff]],
  ])('%s', async (_name, methods, answer) => {
    await using proxy = await startProxy();
    using client = new RawClient(proxy.port);
    client.send([5, methods.length, ...methods]);
    expect([...(await client.take(2))]).toEqual(answer);
    if (answer[1] !== 0xff) return;
    expect((await client.rest()).length).toBe(0);
    await until(() => proxy.proxy.stats.refusals.get('NO_CREDENTIALS') === 1, 'counted');
    expect(proxy.refusals).toEqual([]);
  });
});

describe('authentication', () => {
  test.each(['', 'x', 'any password'])('the password %j is accepted', async (password) => {
    await using proxy = await startProxy();
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(undefined, password));
    expect([...(await client.take(4))]).toEqual([5, 2, 1, 0]);
  });

  test('an unknown key is answered 01 and closed, and kept on no key', async () => {
    await using proxy = await startProxy();
    using client = new RawClient(proxy.port);
    client.send(GREETING, login('lpf_unknown'));
    expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
    expect(proxy.refusals).toEqual([]);
    expect(proxy.proxy.stats.refusals.get('KEY_UNKNOWN')).toBe(1);
  });

  test('a revoked key is answered 01, with the reason kept on the key', async () => {
    await using proxy = await startProxy({ authenticate: async () => ({ refusal: 'KEY_REVOKED', keyId: 7n }) });
    using client = new RawClient(proxy.port);
    client.send(GREETING, login());
    expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
    expect(proxy.refusals).toEqual(['KEY_REVOKED']);
  });

  test('authentication hears the username, the client address and the product', async () => {
    const calls: unknown[] = [];
    await using proxy = await startProxy({
      authenticate: async (...call) => {
        calls.push(call);
        return { refusal: 'KEY_UNKNOWN' };
      },
    });
    for (const port of [proxy.port, proxy.dedicatedPort]) {
      using client = new RawClient(port);
      client.send(GREETING, login('somebody'));
      await client.rest();
    }
    expect(calls).toEqual([
      ['somebody', '127.0.0.1', 'SHARED'],
      ['somebody', '127.0.0.1', 'DEDICATED'],
    ]);
  });

  test('a failing authentication refuses and harms nobody else', async () => {
    let fail = true;
    await using proxy = await startProxy({
      authenticate: async () => {
        if (fail) throw new Error('the database is away');
        return { key: { keyId: 1n, accountId: 1n } };
      },
    });
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(80));
    expect([...(await client.rest())].slice(0, 6)).toEqual([5, 2, 1, 0, 5, 1]);
    fail = false;
    using next = new RawClient(proxy.port);
    next.send(GREETING, login());
    expect([...(await next.take(4))]).toEqual([5, 2, 1, 0]);
  });
});

test('messages split at every byte and sent all at once give the same answers and the same payload', async () => {
  await using target = await echo();
  await using proxy = await startProxy();
  const whole = Buffer.concat([Buffer.from(GREETING), login(), request(target.port), Buffer.from('early data')]);
  const answers = new Set<string>();
  for (let split = 0; split <= whole.length; split++) {
    using client = new RawClient(proxy.port);
    client.socket.setNoDelay(true);
    client.send(whole.subarray(0, split));
    await new Promise((resolve) => setImmediate(resolve));
    client.send(whole.subarray(split));
    const handshake = await client.take(14);
    answers.add(handshake.subarray(0, 12).toString('hex'));
    expect((await client.take(10)).toString()).toBe('early data');
  }
  expect(answers.size).toBe(1);
});

test('a client that leaves at any step leaves nothing behind', async () => {
  await using target = await echo();
  await using proxy = await startProxy();
  const whole = Buffer.concat([Buffer.from(GREETING), login(), request(target.port), Buffer.from('early')]);
  for (let length = 0; length <= whole.length; length++) {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const client = new RawClient(proxy.port);
      client.socket.once('connect', () => {
        client.socket.write(whole.subarray(0, length), () => client.socket[leave]());
      });
      await client.rest();
      client.socket.destroy();
    }
  }
  await until(() => proxy.proxy.stats.connections === 0, 'no connection');
  await until(() => target.sockets.size === 0, 'no target connection');
  expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
});

test('a key that is closed while its target is dialled does not get through', async () => {
  let release: (addresses: string[]) => void = () => undefined;
  await using target = await echo();
  await using proxy = await startProxy({
    fence: { lookup: () => new Promise((resolve) => (release = resolve)), allow: ['127.0.0.0/8'] },
  });
  using client = new RawClient(proxy.port);
  client.send(GREETING, login(), requestName(target.port, 'slow.test'));
  await client.take(4);
  await until(() => proxy.meter.sessions.length === 1, 'session');
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(1);
  release(['127.0.0.1']);
  expect((await client.rest()).length).toBe(0);
  await until(() => proxy.meter.sessions[0]?.closed === true, 'session closed');
  expect(target.sockets.size).toBe(0);
  expect(proxy.refusals).toEqual(['KEY_REVOKED']);
});

test('closing a key ends its tunnels with a reset and answers how many there were', async () => {
  await using target = await echo();
  await using proxy = await startProxy();
  const clients = await Promise.all(Array.from({ length: 5 }, () => openTunnel(proxy.port, target.port)));
  const errors = clients.map(({ socket }) => new Promise((resolve) => socket.once('error', resolve)));
  expect(proxy.proxy.closeKey(2n, 'KEY_REVOKED')).toBe(0);
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(5);
  for (const error of errors) expect(await error).toMatchObject({ code: 'ECONNRESET' });
  await until(() => proxy.proxy.stats.connections === 0, 'no connection');
  expect(proxy.proxy.closeKey(1n, 'KEY_REVOKED')).toBe(0);
});
