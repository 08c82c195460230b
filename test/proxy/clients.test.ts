import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

import { describe, expect, test } from 'vitest';

import { startOrigin } from '../harness/origin.ts';
import { PROXY_CLIENTS, pySocks } from '../harness/proxyClients.ts';
import { startProxy, until } from '../harness/socks.ts';
import { KEY } from '../harness/socksMessages.ts';

const run = promisify(execFile);

/** The greeting table: what real clients send for each form of the credentials. */
const FORMS = [KEY, `${KEY}:`, `${KEY}:x`];
const BODY = randomBytes(200_000);

describe.each(PROXY_CLIENTS)('$name', (client) => {
  const forms = client.needsPassword === true ? FORMS.slice(2) : FORMS;
  test.runIf(client.available).each(forms)('downloads and uploads as %s', async (credentials) => {
    await using origin = await startOrigin();
    await using proxy = await startProxy();
    expect(await client.download(proxy.url(credentials), origin.url('/bytes/300000'))).toBe(300_000);
    const answer = await client.exchange(proxy.url(credentials), origin.url('/', 'localhost'), BODY);
    expect(answer.equals(BODY)).toBe(true);
    await origin.idle();
    await until(() => proxy.proxy.stats.connections === 0, 'closed');
    const { up, down } = origin.count();
    expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([Number(up), Number(down)]);
  });
});

test.runIf(pySocks.available)('PySocks without a password sends no credentials, and that is counted', async () => {
  await using origin = await startOrigin();
  await using proxy = await startProxy();
  await expect(pySocks.download(proxy.url(KEY), origin.url('/bytes/1'))).rejects.toThrow();
  expect(proxy.proxy.stats.refusals.get('NO_CREDENTIALS')).toBe(1);
});

test('curl tells a bad key, an empty account and a closed port apart', async () => {
  const failure = async (proxy: string, url: string): Promise<string> =>
    run('curl', ['-sS', '--max-time', '10', '-x', `socks5h://${proxy}`, url]).then(
      () => 'no failure',
      (error: Error & { stderr?: string }) => error.stderr ?? '',
    );
  await using origin = await startOrigin();
  await using proxy = await startProxy();
  await using empty = await startProxy({ openSession: async () => ({ refusal: 'OUT_OF_CREDIT' }) });
  expect(await failure(proxy.url('lpf_wrong:x'), origin.url('/'))).toMatch(/rejected by the SOCKS5 server/);
  expect(await failure(empty.url(), origin.url('/'))).toMatch(/\(2\)/);
  expect(await failure(proxy.url(), 'http://127.0.0.1:1/')).toMatch(/\(5\)/);
  expect(empty.refusals).toEqual(['OUT_OF_CREDIT']);
});
