import { complexityFromQuery } from '@pothos/plugin-complexity';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import type { Billed } from '../../../src/metering/session.ts';
import { createExitUsage, type ExitUsage } from '../../../src/resolvers/exits/exitUsage.ts';
import { KEPT_DAYS, pruneExitUsage, usageByExit } from '../../../src/resolvers/exits/usageByExit.ts';
import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { schema } from '../../../src/schema/index.ts';
import { makeAccount, openTestServices, run, type TestServices } from '../../harness/context.ts';

const DAY_MS = 86_400_000;
const AGE = sql('testAgeExitUsage', 'update exit_usage set day = day - $2::int where key_id = $1');
const COUNT = sql('testCountExitUsage', 'select count(*)::int as count from exit_usage where key_id = $1');

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

const today = (): string => new Date().toISOString().slice(0, 10);

/** A connection through an exit. @returns what its meter tells, and the exit's name */
function depart(usage: ExitUsage, keyId: bigint, label: string, product: 'SHARED' | 'DEDICATED' = 'SHARED') {
  const told: Billed[] = [];
  const exit = usage.departed(product, { keyId, follow: (billed) => told.push(billed) }, label);
  return { exit, flow: (up: number, down: number, at = Date.now()) => told[0]?.(at, up, down) };
}

const of = (keyId: bigint, days = 7) => usageByExit(services, { keyId }, days);

test('what connections carry adds up by key, product, exit and day, the busiest first', async () => {
  const { apiKey, user, ctx } = await makeAccount(services);
  const second = (await createApiKey(ctx, { name: 'second' })).apiKey;
  const usage = createExitUsage(services);
  const [a, again, b] = [depart(usage, apiKey.id, 'a'), depart(usage, apiKey.id, 'a'), depart(usage, apiKey.id, 'b')];
  const dedicated = depart(usage, apiKey.id, 'a', 'DEDICATED');
  a.flow(10, 100);
  again.flow(1, 5);
  await usage.flush();
  // Given back at the end.
  a.flow(0, -50);
  b.flow(1_000, 0);
  b.flow(7, 0, Date.now() - DAY_MS);
  dedicated.flow(3, 4);
  depart(usage, second.id, 'a').flow(20, 0);
  await usage.close();
  expect(a.exit).toBe(services.exits.name('SHARED', 'a'));
  const yesterday = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10);
  const row = (exit: string, up: bigint, down: bigint, connections: bigint) => ({
    ...{ exit, product: 'SHARED', day: today(), bytesUp: up, bytesDown: down, connections },
  });
  const rows = [
    row(b.exit, 1_000n, 0n, 1n),
    row(a.exit, 11n, 55n, 2n),
    { ...row(dedicated.exit, 3n, 4n, 1n), product: 'DEDICATED' },
    { ...row(b.exit, 7n, 0n, 0n), day: yesterday },
  ];
  expect(await of(apiKey.id)).toEqual(rows);
  expect(await of(apiKey.id, 1)).toEqual(rows.slice(0, 3));
  const all = await usageByExit(services, { userId: user.id }, 7);
  expect(all).toEqual([rows[0], row(a.exit, 31n, 55n, 3n), rows[2], rows[3]]);
});

test('through GraphQL, of the own keys, without what is behind the exit', async () => {
  const { apiKey, ctx } = await makeAccount(services);
  const usage = createExitUsage(services);
  const { exit, flow } = depart(usage, apiKey.id, 'http://login-canary@host-canary:1');
  flow(10, 20);
  await usage.close();
  const fields = 'usageByExit { exit product day bytesUp bytesDown connections }';
  const answer = await run(ctx, `{ viewer { user { ${fields} apiKeyList { ${fields} } } } }`);
  const rows = [{ exit, product: 'SHARED', day: today(), bytesUp: '10', bytesDown: '20', connections: '1' }];
  expect(answer).toEqual({ data: { viewer: { user: { usageByExit: rows, apiKeyList: [{ usageByExit: rows }] } } } });
  expect(JSON.stringify(answer)).not.toContain('canary');
});

test('its price grows with the days that are summed up', () => {
  const price = (days: number) => {
    const query = `{ viewer { user { usageByExit(days: ${days}) { bytesUp } } } }`;
    return complexityFromQuery(query, { schema, ctx: {}, variables: {} }).complexity;
  };
  expect(price(7)).toBe(price(1));
  expect(price(400) - price(7)).toBe(380);
  expect(price(1_000)).toBe(price(400));
});

test('two instances that write at once lose nothing', async () => {
  const { apiKey } = await makeAccount(services);
  const instances = [createExitUsage(services), createExitUsage(services)];
  for (let round = 0; round < 20; round += 1) {
    for (const usage of instances) for (const label of ['a', 'b', 'c']) depart(usage, apiKey.id, label).flow(1, 2);
    await Promise.all(instances.map((usage) => usage.flush()));
  }
  expect((await of(apiKey.id)).map(({ bytesUp, bytesDown, connections }) => [bytesUp, bytesDown, connections])).toEqual(
    Array.from({ length: 3 }, () => [40n, 80n, 40n]),
  );
});

test('what cannot be written is written later, once', async () => {
  const { apiKey } = await makeAccount(services);
  let away = true;
  const query: typeof services.db.query = (statement, values) =>
    away ? Promise.reject(new Error('away')) : services.db.query(statement, values);
  const usage = createExitUsage({ ...services, db: { ...services.db, query } });
  const { flow } = depart(usage, apiKey.id, 'a');
  flow(1, 2);
  await usage.flush();
  flow(10, 20);
  await usage.flush();
  expect(await of(apiKey.id)).toEqual([]);
  away = false;
  await usage.close();
  expect(await of(apiKey.id)).toMatchObject([{ bytesUp: 11n, bytesDown: 22n, connections: 1n }]);
});

test('the traffic of a key through too many exits at once counts together, and its sum stays', async () => {
  const { apiKey } = await makeAccount(services);
  const usage = createExitUsage(services);
  for (let index = 0; index < 100; index += 1) depart(usage, apiKey.id, `exit ${index}`).flow(1, 2);
  await usage.close();
  const rows = await of(apiKey.id);
  expect(rows).toHaveLength(65);
  expect(rows.find(({ exit }) => exit === 'other')).toMatchObject({ bytesUp: 36n, bytesDown: 72n, connections: 36n });
  expect(rows.reduce((sum, { bytesUp, bytesDown }) => sum + bytesUp + bytesDown, 0n)).toBe(300n);
});

test('it is kept for 400 days', async () => {
  const { apiKey } = await makeAccount(services);
  const usage = createExitUsage(services);
  const count = async () => (await services.db.query<{ count: number }>(COUNT, [apiKey.id]))[0]?.count;
  depart(usage, apiKey.id, 'a').flow(1, 2);
  await usage.close();
  await services.db.query(AGE, [apiKey.id, KEPT_DAYS - 1]);
  expect([await pruneExitUsage(services.db, 10), await count(), (await of(apiKey.id, KEPT_DAYS)).length]).toEqual([
    0, 1, 1,
  ]);
  await services.db.query(AGE, [apiKey.id, 1]);
  expect([await pruneExitUsage(services.db, 10), await count()]).toEqual([1, 0]);
});
