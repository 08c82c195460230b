import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { ADMIN, startServer, TEST_MASTER_KEY } from '../harness/server.ts';
import { hasPostgres, postgres } from '../harness/services.ts';
import { openUsageStream } from '../harness/usageStream.ts';

const MAIN = path.resolve('dist/src/main.js');

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

test('SIGTERM under traffic settles every meter, tells subscribers, gives all credit back, and exits 0', async () => {
  await using server = await startServer({ env: { WELCOME_CREDITS: '1000' } });
  const before = { bill: await balanceOf(server, ADMIN.apiKey), origin: origin.count() };
  const live = await openUsageStream({ transport: 'websocket', http: server.ready.http, token: ADMIN.apiKey });
  // A stream that is not read: what the proxy has taken in is all accepted by this side's socket buffer or given back.
  const streams = await Promise.all(
    Array.from({ length: 5 }, () => endlessStream(server.ready.socksShared, ADMIN.apiKey, origin, { pauseAfter: 1e6 })),
  );
  await Promise.all(streams.map((stream) => stream.flowing));
  const exit = server.stop();
  for (const stream of streams) stream.socket.resume();
  expect(await exit).toEqual({ code: 0, signal: null });
  const [settled] = server.logs.split('\n').filter((line) => line.includes('everything is settled'));
  expect(JSON.parse(settled ?? '{}')).toMatchObject({ tunnelsEnded: 0, tunnelsCut: 5 });
  const told = live.totals().credits;
  await live[Symbol.asyncDispose]();
  await server.start();
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  expect(before.bill - (await balanceOf(server, ADMIN.apiKey))).toBe(told);
  const reserved = await server.rest<string>('GET', '/metrics');
  expect(reserved.body).toContain('passerelle_reserved_nanocredits 0\n');
  expect(server.welcome, 'the account is shown once').toBe('');
});

test('a second server on one data folder exits non-zero with a clear message, and harms nothing', async () => {
  await using server = await startServer();
  const env = {
    PATH: process.env['PATH'],
    DATA_DIR: server.dataDir,
    PORT: '0',
    SOCKS_SHARED_PORT: '0',
    SOCKS_DEDICATED_PORT: '0',
  };
  const second = spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8', timeout: 20_000 });
  expect(second.status).toBe(1);
  expect(second.stdout).toBe('');
  expect(second.stderr).toMatch(/data folder .* is in use by another running server; stop it, or set DATA_DIR/);
  expect(await curl.download(`${ADMIN.apiKey}:x@${server.ready.socksShared}`, origin.url('/bytes/1000'))).toBe(1_000);
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

describe('a start that cannot work says why, in one message, and exits 1', () => {
  test('malformed values', () => {
    const env = { PATH: process.env['PATH'], PORT: 'http', SOCKS_SHARED_PORT: '-1', DATABASE_URL: 'postgres://h/d' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    for (const name of ['PORT', 'SOCKS_SHARED_PORT', 'MASTER_KEY']) expect(stderr).toContain(`  ${name} `);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test.skipIf(!hasPostgres())('a database that is not there, and a server that does not answer', async () => {
    await using service = await postgres();
    const ports = { PORT: '0', SOCKS_SHARED_PORT: '0', SOCKS_DEDICATED_PORT: '0' };
    const start = (url: string) => {
      const env = { PATH: process.env['PATH'], DATABASE_URL: url, MASTER_KEY: TEST_MASTER_KEY, ...ports };
      return spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8', timeout: 30_000 });
    };
    const missing = new URL(service?.url ?? '');
    missing.pathname = '/passerelle_missing';
    const refused = start(missing.href);
    const why =
      'The database refuses the connection; look at DATABASE_URL (database "passerelle_missing" does not exist)';
    expect(refused).toMatchObject({ status: 1, stdout: '', stderr: `${why}\n` });
    const silent = start('postgres://user:secret-canary@127.0.0.1:1/x');
    expect(silent).toMatchObject({ status: 1, stdout: '' });
    expect(silent.stderr).toMatch(/^The database cannot be reached; look at DATABASE_URL \(.*ECONNREFUSED.*\)\n$/);
    expect(silent.stderr).not.toContain('secret-canary');
  });

  test('a port that is taken', async () => {
    const dataDir = await mkdtemp(path.join(os.tmpdir(), 'passerelle-port-'));
    try {
      const env = {
        PATH: process.env['PATH'],
        DATA_DIR: dataDir,
        PORT: String(origin.port),
        SOCKS_SHARED_PORT: '0',
        SOCKS_DEDICATED_PORT: '0',
      };
      const { status, stderr } = spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8', timeout: 30_000 });
      expect(status).toBe(1);
      expect(stderr).toContain(`A listener could not start; set its port to another one (listen EADDRINUSE`);
      expect(stderr).not.toMatch(/\n\s+at /);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});

test('no secret reaches logs, metrics, errors or plain columns', async () => {
  await using server = await startServer({ env: { LOG_LEVEL: 'trace' } });
  const customer = await newCustomer(server, 10n ** 9n);
  const wrong = 'a wrong password canary';
  await server.graphql(
    `mutation ($password: String!) { signIn(input: { email: "${ADMIN.email}", password: $password }) { __typename } }`,
    { password: wrong },
    null,
  );
  await server.rest('POST', '/auth/login', { credential: null, body: { email: ADMIN.email, password: wrong } });
  const strangers = `lpf_${'f'.repeat(32)}`;
  await expect(curl.download(`${strangers}:x@${server.ready.socksShared}`, origin.url('/'))).rejects.toThrow();
  await curl.download(`${customer.key}:x@${server.ready.socksShared}`, origin.url('/bytes/1000'));
  const upstream = 'upstream password canary';
  const addExit = `mutation ($url: String!) { addExit(input: { product: SHARED, url: $url }) { __typename } }`;
  for (const end of ['@127.0.0.1:1', '@nowhere'])
    await server.graphql(addExit, { url: `http://user:${encodeURIComponent(upstream)}${end}` });
  await curl.download(`${customer.key}:x@${server.ready.socksShared}`, origin.url('/bytes/1000'));
  const exits = await server.graphql('{ exits { label lastError { detail } } }');
  const metrics = await server.rest<string>('GET', '/metrics');
  const errors = await server.graphql('{ nonsense }', {}, strangers);
  await server.stop();
  const said = [server.logs, metrics.body, JSON.stringify([errors, exits])].join('\n');
  for (const secret of [
    ADMIN.password,
    ADMIN.apiKey,
    customer.key,
    customer.token,
    wrong,
    strangers,
    TEST_MASTER_KEY,
    upstream,
    encodeURIComponent(upstream),
  ]) {
    expect(said).not.toContain(secret);
  }
  expect(exits.data).toMatchObject({ exits: [{}, { label: 'http://user@127.0.0.1:1', lastError: {} }, {}] });
  for (const stored of [customer.key.slice('lpf_'.length), upstream, encodeURIComponent(upstream)]) {
    const found = spawnSync('grep', ['-rlaF', '-e', stored, server.dataDir], { encoding: 'utf8' });
    expect(found.stdout).toBe('');
  }
});
