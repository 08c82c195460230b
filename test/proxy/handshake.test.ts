import { describe, expect, test } from 'vitest';

import { REFUSAL_CODES, type RefusalCode } from '../../src/errors.ts';
import {
  GREETING,
  login,
  openTunnel,
  RawClient,
  request,
  requestName,
  startPeer,
  startProxy,
  until,
} from '../harness/socks.ts';

const echo = (): ReturnType<typeof startPeer> => startPeer((socket) => socket.pipe(socket));

/** Sends one message after the other, each when the answer to the last one is there. @returns the reply code */
async function replyTo(port: number, message: Uint8Array): Promise<number> {
  using client = new RawClient(port);
  client.send(GREETING);
  expect([...(await client.take(2))]).toEqual([5, 2]);
  client.send(login());
  expect([...(await client.take(2))]).toEqual([1, 0]);
  client.send(message);
  const reply = await client.rest();
  expect(reply.length).toBe(10);
  expect([reply[0], reply[2], reply[3]]).toEqual([5, 0, 1]);
  return reply[1] ?? -1;
}

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
    expect(proxy.proxy.stats.refusals.get('NO_CREDENTIALS')).toBe(1);
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
    client.send(GREETING, login());
    expect([...(await client.rest())]).toEqual([5, 2, 1, 1]);
    fail = false;
    using next = new RawClient(proxy.port);
    next.send(GREETING, login());
    expect([...(await next.take(4))]).toEqual([5, 2, 1, 0]);
  });
});

describe('replies', () => {
  test('success carries the address dialled from', async () => {
    await using target = await echo();
    await using proxy = await startProxy();
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), request(target.port));
    await client.take(4);
    const reply = await client.take(10);
    expect([...reply.subarray(0, 8)]).toEqual([5, 0, 0, 1, 127, 0, 0, 1]);
    expect(reply.readUInt16BE(8)).toBe([...target.sockets][0]?.remotePort);
  });

  test.each([
    ['BIND', request(80, '127.0.0.1', 2), 7],
    ['UDP ASSOCIATE', request(80, '127.0.0.1', 3), 7],
    ['an unknown command', request(80, '127.0.0.1', 9), 7],
    ['an unknown address type', Buffer.of(5, 1, 0, 9, 0, 0), 8],
    ['a name of blanks', requestName(80, '   '), 4],
    ['a name that ends in a number, yet is no address', requestName(80, '1.2.3.256'), 4],
    ['a private address', request(80, '10.0.0.1'), 2],
    ['the metadata service', request(80, '169.254.169.254'), 2],
    ['a private address in decimal', requestName(80, '167772161'), 2],
  ])('%s', async (_name, message, code) => {
    await using proxy = await startProxy();
    expect(await replyTo(proxy.port, message)).toBe(code);
    expect(proxy.refusals).toEqual(code === 2 ? ['EGRESS_FORBIDDEN'] : []);
    expect(proxy.meter.spent()).toBe(0);
    expect(proxy.meter.sessions.every((session) => session.closed)).toBe(true);
  });

  test('a closed port is 05, and free', async () => {
    const target = await echo();
    await target[Symbol.asyncDispose]();
    await using proxy = await startProxy();
    expect(await replyTo(proxy.port, request(target.port))).toBe(5);
    expect(proxy.meter.spent()).toBe(0);
  });

  test('an unknown name and a failing name server are 04', async () => {
    await using proxy = await startProxy({
      fence: {
        lookup: async (name) => {
          if (name === 'unknown.test') return [];
          throw new Error('SERVFAIL');
        },
      },
    });
    expect(await replyTo(proxy.port, requestName(80, 'unknown.test'))).toBe(4);
    expect(await replyTo(proxy.port, requestName(80, 'broken.test'))).toBe(4);
  });

  test('the second address of a name is tried when the first refuses', async () => {
    await using target = await echo();
    await using proxy = await startProxy({
      fence: { lookup: async () => ['127.0.0.9', '127.0.0.1'], allow: ['127.0.0.0/8'] },
    });
    using client = new RawClient(proxy.port);
    client.send(GREETING, login(), requestName(target.port, 'two.test'), Buffer.from('hello'));
    expect([...(await client.take(14))].slice(4, 6)).toEqual([5, 0]);
    expect((await client.take(5)).toString()).toBe('hello');
  });

  test('our own listeners stay refused', async () => {
    await using proxy = await startProxy();
    expect(await replyTo(proxy.port, request(proxy.port))).toBe(2);
    expect(await replyTo(proxy.port, requestName(proxy.dedicatedPort, 'localhost'))).toBe(2);
    expect(await replyTo(proxy.port, request(proxy.port, '0.0.0.0'))).toBe(2);
  });

  const PASSED_AUTHENTICATION = REFUSAL_CODES.filter((code) =>
    ['ACCOUNT_SUSPENDED', 'OUT_OF_CREDIT', 'LIMIT_DAY', 'LIMIT_WEEK', 'LIMIT_MONTH', 'NOT_ALLOWED'].includes(code),
  );
  test.each(PASSED_AUTHENTICATION)('%s is 02, before the name is resolved', async (code: RefusalCode) => {
    const names: string[] = [];
    await using proxy = await startProxy({
      openSession: async () => ({ refusal: code }),
      fence: {
        lookup: async (name) => {
          names.push(name);
          return [];
        },
      },
    });
    expect(await replyTo(proxy.port, requestName(80, 'example.test'))).toBe(2);
    expect(proxy.refusals).toEqual([code]);
    expect(names).toEqual([]);
  });

  test('a failing meter is 01', async () => {
    await using proxy = await startProxy({ openSession: () => Promise.reject(new Error('the database is away')) });
    expect(await replyTo(proxy.port, request(80))).toBe(1);
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
