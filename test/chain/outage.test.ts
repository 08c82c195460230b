import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createWallets } from '../../src/chain/wallets.ts';

const MESSAGE = 'Connexion a Le Proxy Francais';
const owner = privateKeyToAccount(generatePrivateKey());
const signature = await owner.signMessage({ message: MESSAGE });

describe('an endpoint that does not answer is no verdict', () => {
  let server: Server;
  let answer: (method: string) => { status?: number; body: unknown } | undefined;
  let url: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const { id, method } = JSON.parse(text) as { id: number; method: string };
        const reply = answer(method);
        if (reply === undefined) {
          request.socket.destroy();
          return;
        }
        response.writeHead(reply.status ?? 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(reply.body as object) }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const chainIs = (id: string) => ({ body: { result: id } });
  const asked = () =>
    createWallets({ 1: url }).verify({
      address: owner.address,
      message: MESSAGE,
      signature: `${signature}00`,
      chainId: 1n,
    });
  const failing = (error: unknown, status = 200) => ({ status, body: { error } });

  test.each<[string, typeof answer]>([
    ['the connection breaks', () => undefined],
    ['it breaks after the first answer', (method) => (method === 'eth_chainId' ? chainIs('0x1') : undefined)],
    ['it is one of another chain', () => chainIs('0x2')],
    [
      'it refuses so many requests',
      (method) =>
        method === 'eth_chainId' ? chainIs('0x1') : failing({ code: -32_005, message: 'limit exceeded' }, 429),
    ],
    [
      'it lacks the state',
      (method) =>
        method === 'eth_chainId' ? chainIs('0x1') : failing({ code: -32_000, message: 'missing trie node' }),
    ],
    ['it answers nothing', (method) => chainIs(method === 'eth_chainId' ? '0x1' : '0x')],
    ['it answers nonsense', (method) => chainIs(method === 'eth_chainId' ? '0x1' : '0x77')],
  ])('%s', async (_case, reply) => {
    answer = reply;
    await expect(asked()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('it takes longer than whoever asks can wait', async () => {
    const signed = { address: owner.address, message: MESSAGE, signature: `${signature}00`, chainId: 1n };
    const waiting = new AbortController();
    answer = () => {
      waiting.abort();
      return chainIs('0x1');
    };
    const started = performance.now();
    const late = createWallets({ 1: url }).verify(signed, { signal: waiting.signal });
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test('it is not asked when the question is not allowed, and keys need no allowance', async () => {
    let asked = 0;
    answer = () => void (asked += 1);
    const refusing = { allow: () => Promise.reject(new Error('no')) };
    const signed = { address: owner.address, message: MESSAGE, chainId: 1n };
    const { verify } = createWallets({ 1: url });
    await expect(verify({ ...signed, signature: `${signature}00` }, refusing)).rejects.toThrow('no');
    expect(await verify({ ...signed, signature }, refusing)).toBe(true);
    expect(asked).toBe(0);
  });

  test('no cause names the endpoint, whose address may hold a key', async () => {
    answer = () => undefined;
    const error: unknown = await asked().catch((failure: unknown) => failure);
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      expect(`${cause.message} ${cause.stack}`).not.toContain(url);
    }
  });

  test('a contract that fails is one', async () => {
    answer = (method) =>
      method === 'eth_chainId' ? chainIs('0x1') : failing({ code: 3, message: 'execution reverted', data: '0x' });
    expect(await asked()).toBe(false);
  });
  test('its failing does not keep the keys of plain wallets from signing', async () => {
    answer = () => undefined;
    const signed = { address: owner.address, message: MESSAGE, signature, chainId: 1n };
    expect(await createWallets({ 1: url }).verify(signed)).toBe(true);
  });
});
