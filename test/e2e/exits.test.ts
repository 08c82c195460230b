import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { NANO, PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { ADMIN, startServer, type TestServer } from '../harness/server.ts';
import { startHttpUpstream, type HttpUpstream } from '../harness/upstreams.ts';

const run = promisify(execFile);
const PASSWORD = 'password-canary';

let origin: Origin;
let upstream: HttpUpstream;
let server: TestServer;
/** Tells from which address it was dialled. */
let mirror: Server;

beforeAll(async () => {
  origin = await startOrigin();
  upstream = await startHttpUpstream();
  mirror = createServer((socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${socket.remoteAddress}`));
  mirror.listen(0, '127.0.0.1');
  await once(mirror, 'listening');
  server = await startServer({
    env: {
      EXITS_SHARED: 'bind:127.0.0.2,bind:127.0.0.3',
      EXITS_DEDICATED: `http://gone:${PASSWORD}@127.0.0.1:1,http://user:${PASSWORD}@localhost:${upstream.port}`,
    },
  });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  mirror.close();
  await upstream[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

/** Over HTTP CONNECT. @returns what came, or the status that refused it */
async function curl(proxy: string, username: string, url: string): Promise<string> {
  const options = ['-sS', '--max-time', '20', '--proxytunnel', '-x', `http://${username}:x@${proxy}`];
  return run('curl', [...options, '-w', '%{stderr}%{http_connect}', url]).then(
    ({ stdout }) => stdout,
    (error: Error & { stderr: string }) => error.stderr.slice(-3),
  );
}

const mirrored = (): string => `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/`;

test('shared exits take turns, and a session keeps its own', async () => {
  const proxy = server.ready.socksShared;
  const sources: string[] = [];
  for (let count = 0; count < 4; count += 1) sources.push(await curl(proxy, ADMIN.apiKey, mirrored()));
  expect(sources).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2', '127.0.0.3']);
  const sticky = new Set<string>();
  for (let count = 0; count < 3; count += 1) {
    sticky.add(await curl(proxy, `${ADMIN.apiKey}-session-e2e-ttl-1m`, mirrored()));
  }
  expect(sticky.size).toBe(1);
});

test('dedicated exits fail over, and the bill is what the origin counted', async () => {
  const { key } = await newCustomer(server, NANO);
  const before = origin.count();
  for (let count = 0; count < 4; count += 1) {
    expect((await curl(server.ready.socksDedicated, key, origin.url('/bytes/100000'))).length).toBe(100_000);
  }
  expect(upstream.heads).toHaveLength(4);
  await origin.idle();
  const after = origin.count();
  const bytes = after.up - before.up + after.down - before.down;
  const expected = NANO - bytes * PRICE_PER_BYTE.DEDICATED;
  await expect.poll(() => balanceOf(server, key), { timeout: 10_000 }).toBe(expected);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

test('the operator sees the exits and their figures; metrics, which anybody may read, tell names alone', async () => {
  const query = '{ exits(product: DEDICATED) { name label opened failures lastError { detail } } }';
  const answer = await server.graphql<{ exits: { name: string; label: string; opened: number; failures: number }[] }>(
    query,
  );
  const [away, there] = answer.data?.exits ?? [];
  expect(away).toMatchObject({ label: 'http://gone@127.0.0.1:1', opened: 0 });
  expect(away?.failures).toBeGreaterThan(0);
  expect(there).toMatchObject({ label: `http://user@localhost:${upstream.port}`, opened: 4, failures: 0 });
  const metrics = await (await fetch(`${server.ready.http}/metrics`)).text();
  expect(metrics).toContain(`passerelle_exit_opened{product="DEDICATED",exit="${there?.name}"} 4\n`);
  expect(metrics).toContain(`passerelle_exit_failures{product="DEDICATED",exit="${away?.name}"} `);
  expect(metrics).not.toMatch(/localhost|127\.0\.0|gone@/);
  expect(JSON.stringify(answer) + metrics + server.logs).not.toContain(PASSWORD);
});

test('why it was refused: the status, and the reason on the key', async () => {
  const customer = await newCustomer(server, 0n);
  const lastRefusal = async (): Promise<unknown> => {
    const query = 'query ($id: ID!) { apiKey(id: $id) { lastRefusal { code message } } }';
    const answer = await server.graphql<{ apiKey: { lastRefusal: unknown } }>(
      query,
      { id: customer.keyId },
      customer.token,
    );
    return answer.data?.apiKey.lastRefusal;
  };
  expect(await curl(server.ready.socksShared, customer.key, origin.url('/'))).toBe('402');
  await expect.poll(lastRefusal).toMatchObject({ code: 'OUT_OF_CREDIT' });
  expect(await curl(server.ready.socksShared, `${customer.key}-country-fr`, origin.url('/'))).toBe('407');
  await expect.poll(lastRefusal).toEqual({
    code: 'BAD_USERNAME',
    message: 'The flag "country" of the username is unknown; there are "session" and "ttl".',
  });
  expect(await curl(server.ready.socksShared, ADMIN.apiKey, 'http://10.0.0.1/')).toBe('403');
  expect(await curl(server.ready.socksShared, ADMIN.apiKey, `${server.ready.http}/health`)).toBe('403');
});
