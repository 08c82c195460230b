import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { NANO } from '../../src/units.ts';
import { newCustomer } from '../harness/customer.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { hasPostgres, hasRedis, postgres, redis, type PostgresServer } from '../harness/services.ts';
import {
  addExit,
  assignExit,
  drainExit,
  exitOf,
  removeExit,
  startMirror,
  usageByExit,
  type Mirror,
  type ShownExit,
} from './exits/operator.ts';

/** From the answer of one instance until the other obeys. */
const OTHER_INSTANCE_MS = 2_000;

let origin: Origin;
let mirror: Mirror;
beforeAll(async () => {
  origin = await startOrigin();
  mirror = await startMirror();
});
afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

describe.skipIf(!hasPostgres() || !hasRedis())('two servers on one PostgreSQL, with Redis', () => fleet(true));
describe.skipIf(!hasPostgres())('two servers on one PostgreSQL, without Redis', () => fleet(false));

function fleet(withRedis: boolean): void {
  let database: PostgresServer | undefined;
  let events: Awaited<ReturnType<typeof redis>>;
  let first: TestServer;
  let second: TestServer;

  beforeAll(async () => {
    database = await postgres();
    events = withRedis ? await redis() : undefined;
    const env = {
      DATABASE_URL: await database?.createDatabase(),
      REDIS_URL: events?.url,
      EXITS_DEDICATED: 'bind:127.0.0.2',
    };
    [first, second] = await Promise.all([startServer({ env }), startServer({ env })]);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    await events?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test('what is done to exits on one is so on the other within two seconds, and after a restart', async () => {
    const owner = await newCustomer(first, NANO);
    const other = await newCustomer(first, NANO);
    const label = 'bind:127.0.0.5';
    const there = (fits: (exit: ShownExit | undefined) => boolean): Promise<void> =>
      expect
        .poll(async () => fits(await exitOf(second, label)), { timeout: OTHER_INSTANCE_MS, interval: 20 })
        .toBe(true);
    const added = await addExit(first, label, [owner.userId]);
    await there((exit) => exit?.name === added.name && exit.id === added.id && exit.users.length === 1);
    const leave = async (): Promise<unknown> => ({
      owner: await mirror.sources(second, owner.key, 4),
      other: await mirror.sources(second, other.key, 4),
    });
    expect(await leave()).toEqual({ owner: ['127.0.0.5'], other: ['127.0.0.2'] });

    await drainExit(first, added);
    await there((exit) => exit?.drained === true);
    expect(await leave()).toEqual({ owner: ['503'], other: ['127.0.0.2'] });
    await drainExit(first, added, false);
    await there((exit) => exit?.drained === false);

    await assignExit(first, added, [other.userId]);
    await there((exit) => exit?.users[0]?.id === other.userId);
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.5'] });
    await second.restart();
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.5'] });

    await removeExit(first, added);
    await there((exit) => exit === undefined);
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.2'] });
  });

  test('an exit that was added on one can be removed on the other at once', async () => {
    const added = await addExit(first, 'bind:127.0.0.6');
    await removeExit(second, added);
    expect(await exitOf(second, added.label)).toBeUndefined();
    const here = () => exitOf(first, added.label);
    await expect.poll(here, { timeout: OTHER_INSTANCE_MS, interval: 20 }).toBeUndefined();
  });

  test('usage by exit is the sum over both, to the byte', async () => {
    const customer = await newCustomer(first, NANO);
    const before = origin.count();
    await Promise.all(
      [first, second].flatMap(({ ready }) =>
        Array.from({ length: 5 }, (_, index) =>
          curl.download(`${customer.key}:x@${ready.socksDedicated}`, origin.url(`/bytes/${100_000 + index}`)),
        ),
      ),
    );
    await origin.idle();
    const up = origin.count().up - before.up;
    const down = origin.count().down - before.down;
    const usage = () => usageByExit(first, customer.token);
    await expect.poll(usage, { timeout: 15_000 }).toMatchObject({ up, down, connections: 10n });
    expect((await usage()).names).toEqual([(await exitOf(first, 'bind:127.0.0.2'))?.name]);
  });
}
