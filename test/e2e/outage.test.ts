import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PRICE_PER_BYTE } from '../../src/units.ts';
import { balanceOf, ledgerCheck, newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasOwnPostgres, ownPostgres } from '../harness/services.ts';
import { RawClient } from '../harness/socks.ts';
import { GREETING, login, request } from '../harness/socksMessages.ts';

/** `npm run soak` raises it to 20. */
const KILLS = Number(process.env['POSTGRES_KILLS'] ?? 2);
/** What the database's silence may last until nothing is forwarded any more, with room for a busy machine. */
const SILENCE_MS = 7_500 + 3_000;
/** An instance that is silent for so long is taken for dead. */
const TTL_MS = 15_000;
const RECOVERY_MS = 15_000;
/** Five seconds for the key, five for its credit, with room for a busy machine. */
const TOLD_MS = 10_000 + 3_000;
const CREDIT = 10n ** 12n;

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

describe.skipIf(!hasOwnPostgres())('PostgreSQL (package postgresql)', () => {
  test(`killed under traffic ${KILLS} times: nothing acknowledged is lost, traffic stops in time, and comes back`, async () => {
    await using postgres = await ownPostgres();
    if (postgres === undefined) throw new Error('PostgreSQL did not start');
    await using server = await startServer({ env: { DATABASE_URL: await postgres.createDatabase() } });
    const customer = await newCustomer(server, CREDIT);
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const stream = await endlessStream(server.ready.socksShared, customer.key, origin);
      await stream.flowing;
      const acknowledged = await balanceOf(server, customer.key);
      const killed = Date.now();
      await postgres.kill();
      await stream.ended;
      expect(Date.now() - killed, 'everything stops').toBeLessThan(SILENCE_MS);
      expect((await server.rest('GET', '/health')).status, 'the process lives').toBe(200);
      await postgres.start();
      await expect.poll(() => download(server, customer.key), { timeout: RECOVERY_MS, interval: 250 }).toBe(1_000);
      expect(await balanceOf(server, customer.key)).toBeLessThanOrEqual(acknowledged);
      expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
    }
    // What was not billed was lent when the database died; nothing is billed that the origin did not hand over.
    await origin.idle();
    const { up, down } = origin.count();
    expect(CREDIT - (await balanceOf(server, customer.key))).toBeLessThanOrEqual((up + down) * PRICE_PER_BYTE.SHARED);
  }, 180_000);

  test.skipIf(process.platform !== 'linux')(
    'that does not answer: no good key is called a bad one, and every client is told in time',
    async () => {
      await using postgres = await ownPostgres();
      if (postgres === undefined) throw new Error('PostgreSQL did not start');
      await using server = await startServer({ env: { DATABASE_URL: await postgres.createDatabase() } });
      const used = await newCustomer(server, CREDIT);
      const fresh = await newCustomer(server, CREDIT);
      const stream = await endlessStream(server.ready.socksShared, used.key, origin);
      await stream.flowing;
      {
        using _frozen = postgres.freeze();
        await stream.ended;
        const asked = Date.now();
        const told = await Promise.all(
          [used, fresh].flatMap(({ key }) => [askBySocks(server, key), askByHttp(server, key)]),
        );
        expect(Date.now() - asked).toBeLessThan(TOLD_MS);
        // Login accepted, general failure.
        const [bySocks, byHttp] = [[5, 2, 1, 0, 5, 1], expect.stringMatching(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: /)];
        expect(told).toEqual([bySocks, byHttp, bySocks, byHttp]);
      }
      await expect.poll(() => download(server, fresh.key), { timeout: RECOVERY_MS, interval: 250 }).toBe(1_000);
    },
    120_000,
  );

  test('a server that was stopped for longer than its time to live is fenced, and starts over by itself', async () => {
    await using postgres = await ownPostgres();
    if (postgres === undefined) throw new Error('PostgreSQL did not start');
    const env = { DATABASE_URL: await postgres.createDatabase() };
    await using judge = await startServer({ env });
    await using sleeper = await startServer({ env });
    const customer = await newCustomer(judge, CREDIT);
    const stream = await endlessStream(sleeper.ready.socksShared, customer.key, origin);
    await stream.flowing;
    process.kill(sleeper.pid, 'SIGSTOP');
    await expect
      .poll(() => judge.logs, { timeout: 2.5 * TTL_MS })
      .toContain('an instance is dead; its leases returned');
    expect(await ledgerCheck(judge)).toEqual({ drift: '0', violations: [] });
    process.kill(sleeper.pid, 'SIGCONT');
    await stream.ended;
    await expect.poll(() => download(sleeper, customer.key), { timeout: RECOVERY_MS, interval: 250 }).toBe(1_000);
    expect(await ledgerCheck(judge)).toEqual({ drift: '0', violations: [] });
  }, 120_000);
});

/** Asks for the origin. @returns what the proxy said of method, login and request */
async function askBySocks(server: TestServer, key: string): Promise<number[]> {
  using client = new RawClient(portOf(server));
  client.send(GREETING, login(key), request(Number(new URL(origin.url('/')).port)));
  return [...(await client.rest())].slice(0, 6);
}

async function askByHttp(server: TestServer, key: string): Promise<string> {
  using client = new RawClient(portOf(server));
  const credentials = Buffer.from(`${key}:x`).toString('base64');
  const { host } = new URL(origin.url('/'));
  client.send(Buffer.from(`CONNECT ${host} HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`));
  return (await client.rest()).toString();
}

function portOf({ ready }: TestServer): number {
  return Number(ready.socksShared.split(':')[1]);
}

/** @returns bytes; undefined when the proxy refuses */
function download(server: TestServer, key: string): Promise<number | undefined> {
  return curl.download(`${key}:x@${server.ready.socksShared}`, origin.url('/bytes/1000')).catch(() => undefined);
}
