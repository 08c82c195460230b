import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { NANO, PRICE_PER_BYTE } from '../../src/units.ts';
import { hasChromium, launchChromium } from '../harness/chromium.ts';
import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { startOrigin } from '../harness/origin.ts';
import { PROXY_CLIENTS } from '../harness/proxyClients.ts';
import { run } from '../harness/run.ts';
import { startSecureOrigin } from '../harness/secureOrigin.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasSsh, startSshServer } from '../harness/sshServer.ts';

const NCAT = '/usr/bin/ncat';
const WRONG_KEY = `lpf_${'f'.repeat(32)}`;
const PATIENCE = { timeout: 10_000, interval: 100 };
const BODY = randomBytes(1_000_003);

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

let server: TestServer;

beforeAll(async () => {
  // Each of these clients fails once or more, all from one address.
  server = await startServer({ env: { AUTH_MAX_FAILURES: '1000' } });
});

afterAll(async () => {
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  await server[Symbol.asyncDispose]();
});

/** Of the exits of one product. */
const proxy = (key: string): string => `${key}:x@${server.ready.socksShared}`;

for (const client of PROXY_CLIENTS) {
  test
    .skipIf(!client.available)
    .concurrent(
      `${client.name}: both ways unchanged, billed to the byte, refused without a good key`,
      async ({ expect }) => {
        await using origin = await startOrigin();
        const { key } = await newCustomer(server, NANO);
        const answer = await client.exchange(proxy(key), origin.url('/', 'localhost'), BODY);
        expect(sha1(answer)).toBe(sha1(BODY));
        await origin.idle();
        const { up, down } = origin.count();
        const expected = NANO - (up + down) * PRICE_PER_BYTE.SHARED;
        await expect.poll(() => balanceOf(server, key), PATIENCE).toBe(expected);
        await expect(client.exchange(proxy(WRONG_KEY), origin.url('/'), BODY)).rejects.toThrow(client.refused);
        expect(origin.count()).toEqual({ up, down });
      },
    );
}

describe.skipIf(!existsSync(NCAT))('ncat', () => {
  test.concurrent.for(['socks5', 'http'])(
    'over %s: the answer to a client that has ended its side still comes',
    async (type, { expect }) => {
      // It answers when it has read everything.
      const target = createServer({ allowHalfOpen: true }, (socket) => {
        const chunks: Buffer[] = [];
        socket.on('data', (chunk) => chunks.push(chunk)).on('end', () => socket.end(Buffer.concat(chunks)));
      });
      target.listen(0, '127.0.0.1');
      await once(target, 'listening');
      const { port } = target.address() as AddressInfo;
      const exchange = (key: string): Promise<Buffer> =>
        run(NCAT, [...ncatProxy(type, key), '127.0.0.1', String(port)], BODY);
      const { key } = await newCustomer(server, NANO);
      expect(sha1(await exchange(key))).toBe(sha1(BODY));
      const expected = NANO - BigInt(2 * BODY.length) * PRICE_PER_BYTE.SHARED;
      await expect.poll(() => balanceOf(server, key), PATIENCE).toBe(expected);
      await expect(exchange(WRONG_KEY)).rejects.toThrow(/authentication failed|status code 407/);
      target.close();
    },
  );
});

const ncatProxy = (type: string, key: string): string[] => {
  return ['--proxy-type', type, '--proxy', server.ready.socksShared, '--proxy-auth', `${key}:x`];
};

test.skipIf(!hasSsh).concurrent('ssh through ncat (openssh-server, openssh-client, ncat)', async ({ expect }) => {
  await using ssh = await startSshServer();
  const through = (key: string): string => `${NCAT} ${ncatProxy('socks5', key).join(' ')} %h %p`;
  const { key } = await newCustomer(server, NANO);
  expect(sha1(await ssh.execute(through(key), 'cat', BODY))).toBe(sha1(BODY));
  const atMost = NANO - BigInt(2 * BODY.length) * PRICE_PER_BYTE.SHARED;
  await expect.poll(() => balanceOf(server, key), PATIENCE).toBeLessThan(atMost);
  await expect(ssh.execute(through(WRONG_KEY), 'cat', BODY)).rejects.toThrow('authentication failed');
});

describe.skipIf(!hasChromium)('Chromium (chromium)', () => {
  const open = (key: string): Promise<Browser> => {
    return launchChromium({ server: `http://${server.ready.socksShared}`, username: key, password: 'x' });
  };

  test('goes through HTTP CONNECT with a key, both ways unchanged', async () => {
    await using secure = await startSecureOrigin('<title>through the proxy</title>');
    const { key, keyId, token } = await newCustomer(server, NANO);
    await using browser = await open(key);
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(`https://localhost:${secure.port}/`);
    expect(await page.title()).toBe('through the proxy');
    const echoed = await page.evaluate(sendAndHash, BODY.toString('base64'));
    expect(echoed).toBe(sha1(BODY));
    const atMost = NANO - BigInt(2 * BODY.length) * PRICE_PER_BYTE.SHARED;
    await expect.poll(() => balanceOf(server, key), PATIENCE).toBeLessThan(atMost);
    // It asks without the key first, is told to give it, and gives it.
    expect((await server.rest<string>('GET', '/metrics')).body).toMatch(
      /^passerelle_proxy_refusals\{[^}]*NO_CREDENTIALS[^}]*\} [1-9]/m,
    );
    await expect(page.goto('https://10.0.0.1/')).rejects.toThrow('ERR_TUNNEL_CONNECTION_FAILED');
    const refusal = async (): Promise<unknown> => {
      const query = 'query ($id: ID!) { apiKey(id: $id) { lastRefusal { code } } }';
      return (await server.graphql(query, { id: keyId }, token)).data;
    };
    await expect.poll(refusal).toEqual({ apiKey: { lastRefusal: { code: 'EGRESS_FORBIDDEN' } } });
  });

  test('is refused without a good key', async () => {
    await using secure = await startSecureOrigin('');
    await using browser = await open(WRONG_KEY);
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await expect(page.goto(`https://localhost:${secure.port}/`)).rejects.toThrow('ERR_');
  });
});

/** In the page: PUTs these bytes. @returns the SHA-1 of what is answered, in hex */
async function sendAndHash(base64: string): Promise<string> {
  const body = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const answer = await (await fetch('/', { method: 'PUT', body })).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', answer));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
