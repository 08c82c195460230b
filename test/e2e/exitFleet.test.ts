import { afterAll, beforeAll, expect, test } from 'vitest';

import { NANO } from '../../src/units.ts';
import { newCustomer } from '../harness/customer.ts';
import { describeFleets, OTHER_INSTANCE_MS, type Fleet } from '../harness/fleet.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
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

describeFleets(fleetTests, { EXITS_DEDICATED: 'bind:127.0.0.2' });

function fleetTests(fleet: Fleet): void {
  test('what is done to exits on one is so on the other within two seconds, and after a restart', async () => {
    const owner = await newCustomer(fleet.first, NANO);
    const other = await newCustomer(fleet.first, NANO);
    const label = 'bind:127.0.0.5';
    const there = (fits: (exit: ShownExit | undefined) => boolean): Promise<void> =>
      expect
        .poll(async () => fits(await exitOf(fleet.second, label)), { timeout: OTHER_INSTANCE_MS, interval: 20 })
        .toBe(true);
    const added = await addExit(fleet.first, label, [owner.userId]);
    await there((exit) => exit?.name === added.name && exit.id === added.id && exit.users.length === 1);
    const leave = async (): Promise<unknown> => ({
      owner: await mirror.sources(fleet.second, owner.key, 4),
      other: await mirror.sources(fleet.second, other.key, 4),
    });
    expect(await leave()).toEqual({ owner: ['127.0.0.5'], other: ['127.0.0.2'] });

    await drainExit(fleet.first, added);
    await there((exit) => exit?.drained === true);
    expect(await leave()).toEqual({ owner: ['503'], other: ['127.0.0.2'] });
    await drainExit(fleet.first, added, false);
    await there((exit) => exit?.drained === false);

    await assignExit(fleet.first, added, [other.userId]);
    await there((exit) => exit?.users[0]?.id === other.userId);
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.5'] });
    await fleet.second.restart();
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.5'] });

    await removeExit(fleet.first, added);
    await there((exit) => exit === undefined);
    expect(await leave()).toEqual({ owner: ['127.0.0.2'], other: ['127.0.0.2'] });
  });

  test('an exit that was added on one can be removed on the other at once', async () => {
    const added = await addExit(fleet.first, 'bind:127.0.0.6');
    await removeExit(fleet.second, added);
    expect(await exitOf(fleet.second, added.label)).toBeUndefined();
    const here = () => exitOf(fleet.first, added.label);
    await expect.poll(here, { timeout: OTHER_INSTANCE_MS, interval: 20 }).toBeUndefined();
  });

  test('usage by exit is the sum over both, to the byte', async () => {
    const customer = await newCustomer(fleet.first, NANO);
    const before = origin.count();
    await Promise.all(
      [fleet.first, fleet.second].flatMap(({ ready }) =>
        Array.from({ length: 5 }, (_, index) =>
          curl.download(`${customer.key}:x@${ready.socksDedicated}`, origin.url(`/bytes/${100_000 + index}`)),
        ),
      ),
    );
    await origin.idle();
    const up = origin.count().up - before.up;
    const down = origin.count().down - before.down;
    const usage = () => usageByExit(fleet.first, customer.token);
    await expect.poll(usage, { timeout: 15_000 }).toMatchObject({ up, down, connections: 10n });
    expect((await usage()).names).toEqual([(await exitOf(fleet.first, 'bind:127.0.0.2'))?.name]);
  });
}
