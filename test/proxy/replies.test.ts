import { describe, expect, test } from 'vitest';

import { REFUSAL_CODES, type RefusalCode } from '../../src/errors.ts';
import { RawClient, startPeer, startProxy } from '../harness/socks.ts';
import { GREETING, login, request, requestName } from '../harness/socksMessages.ts';

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
