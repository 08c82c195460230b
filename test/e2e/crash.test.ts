import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openDatabase } from '../../src/database/open.ts';
import { sql } from '../../src/database/sql.ts';
import { PRICE_PER_BYTE } from '../../src/units.ts';
import { ledgerCheck } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { ADMIN, startServer } from '../harness/server.ts';
import { hasPostgres, postgres } from '../harness/services.ts';

/** `npm run soak` raises it to 100. */
const KILLS = Number(process.env['CRASH_KILLS'] ?? 5);
const STREAMS = 8;

const STATE = sql(
  'test crash state',
  `select (select coalesce(sum(amount), 0)::bigint from usage_hour) as billed,
          (select coalesce(sum(reserved + lost), 0)::bigint from lease) as leased`,
);

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

describe(`kill -9 under traffic, ${KILLS} times`, () => {
  test(
    'embedded: nothing is billed twice, and what is not billed was under a lease',
    () => survive(undefined),
    300_000,
  );

  test.skipIf(!hasPostgres())(
    'PostgreSQL: nothing is billed twice, and what is not billed was under a lease',
    async () => {
      await using service = await postgres();
      await survive(await service?.createDatabase());
    },
    300_000,
  );
});

async function survive(databaseUrl: string | undefined): Promise<void> {
  await using server = await startServer({ env: { DATABASE_URL: databaseUrl, WELCOME_CREDITS: '1000000' } });
  // Bytes the clients got but were not billed for, over all kills, may not exceed the leases lost in them.
  let received = 0n;
  let lostLeases = 0n;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => endlessStream(server.ready.socksShared, ADMIN.apiKey, origin)),
    );
    await Promise.all(streams.map((stream) => stream.flowing));
    await untilSettled(server, received);
    await server.kill();
    await Promise.all(streams.map((stream) => stream.ended));
    await origin.idle();
    received += streams.reduce((sum, stream) => sum + BigInt(stream.received() + stream.sent), 0n);
    const state = await readState(server.dataDir, databaseUrl);
    lostLeases = state.leased;
    const handedOver = (origin.count().up + origin.count().down) * PRICE_PER_BYTE.SHARED;
    expect(state.billed, 'never more than the origin handed over').toBeLessThanOrEqual(handedOver);
    const unbilled = received * PRICE_PER_BYTE.SHARED - state.billed;
    expect(unbilled, 'unbilled within the leases held').toBeLessThanOrEqual(lostLeases);
    await server.start();
    expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
  }
  console.log(`${KILLS} kills: ${received} bytes received, leases lost ${lostLeases} nano-credits`);
}

/** Waits until something of this round has been billed, so that the kill comes between settlements. */
async function untilSettled(server: Awaited<ReturnType<typeof startServer>>, before: bigint): Promise<void> {
  const billed = async () => {
    const { data } = await server.graphql<{ viewer: { user: { limits: { monthly: { used: string } } } } }>(
      '{ viewer { user { limits { monthly { used } } } } }',
    );
    return Number(data?.viewer.user.limits.monthly.used) * 1e9;
  };
  await expect.poll(billed, { timeout: 10_000 }).toBeGreaterThan(Number(before * 2n));
}

/**
 * Reads the database as the killed process left it. What a dead instance held is `reserved` until it is fenced and
 * `lost` from then on, so that both together are all that was ever lent and neither settled nor given back.
 */
async function readState(dataDir: string, url: string | undefined): Promise<{ billed: bigint; leased: bigint }> {
  const migrations = path.resolve('prisma/migrations');
  const database = await openDatabase({ url, dataDir, migrations, onError: () => undefined });
  try {
    const [row] = await database.query<{ billed: bigint; leased: bigint }>(STATE);
    if (row === undefined) throw new Error('no state');
    return row;
  } finally {
    await database.close();
  }
}
