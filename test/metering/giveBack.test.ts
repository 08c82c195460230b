import { describe, expect, test } from 'vitest';

import { CREDIT, customer } from './streams.ts';
import { balance, billed, hours, leased } from './ledgerState.ts';
import { worldsOfFile } from './world.ts';

const openWorld = worldsOfFile();

describe('time', () => {
  test('bytes belong to the hour in which they flowed', async () => {
    await using world = openWorld(new Date('2026-03-10T23:59:58.000Z'));
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    const perHour = new Map<number, number>();
    for (let step = 0; step < 400; step += 1) {
      const hour = Math.floor(world.now().getTime() / 3_600_000) * 3_600_000;
      const forwarded = stream.pull(5_000);
      expect(forwarded).toBe(5_000);
      perHour.set(hour, (perHour.get(hour) ?? 0) + forwarded);
      await world.pass(10);
    }
    await world.pass(3_000);
    const billedHours = (await hours(world.db, key)).map(({ hour, down }) => [hour.getTime(), Number(down)]);
    expect(billedHours).toEqual([...perHour]);
    expect(billedHours).toHaveLength(2);
  });

  test('a lease that outlives an hour settles soon after it', async () => {
    await using world = openWorld(new Date('2026-03-10T10:59:58.000Z'));
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    stream.pull(5_000);
    stream.unaccepted = 5_000;
    await world.pass(1_900);
    const before = instance.ticks.length;
    await world.pass(3_000);
    expect(instance.ticks.length).toBe(before + 1);
    expect(await leased(world.db, key)).toBe(15_000n);
    stream.unaccepted = 0;
    await world.pass(3_000);
    expect(await hours(world.db, key)).toEqual([{ hour: new Date('2026-03-10T11:00:00Z'), up: 0n, down: 5_000n }]);
    expect(await leased(world.db, key)).toBe(0n);
  });
});

describe('giving back', () => {
  test('what the other side never accepted is not billed', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    stream.pull(100_000);
    stream.unaccepted = 40_000;
    await world.pass(5_000);
    expect((await billed(world.db, key)).bytes).toBe(60_000n);
    stream.close();
    await world.pass(3_000);
    expect((await billed(world.db, key)).bytes).toBe(60_000n);
    expect(await leased(world.db, key)).toBe(0n);
  });

  test('a refund after settling is made good by the next bytes of the product', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    stream.pull(10_000);
    await world.pass(1_200);
    expect((await billed(world.db, key)).bytes).toBe(10_000n);
    stream.session.refund('down', 4_000);
    stream.session.close();
    const dedicated = await world.stream(instance, account, key, 'DEDICATED');
    dedicated.pull(1_000);
    const next = await world.stream(instance, account, key);
    next.pull(3_000, 'up');
    next.pull(2_000);
    await world.pass(3_000);
    const sum = await billed(world.db, key);
    expect(sum).toEqual({ bytes: 12_000n, amount: 3n * 11_000n + 8n * 1_000n });
    expect(instance.metering.stats()).toMatchObject({ refused: 0, activeKeys: 0 });
    expect(await leased(world.db, key)).toBe(0n);
  });

  test('drain ends all sessions, settles everything and gives all leases back', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const streams = [await world.stream(instance, account, key), await world.stream(instance, account, key)];
    for (const stream of streams) stream.pull(123_456);
    const drained = instance.metering.drain(5_000);
    await world.pass(200);
    expect(await drained).toEqual({ unsettledBytes: 0 });
    expect(streams.map((stream) => stream.ended)).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE']);
    expect((await billed(world.db, key)).bytes).toBe(246_912n);
    expect(await balance(world.db, account)).toEqual({ balance: CREDIT - 3n * 246_912n, reserved: 0n });
    await world.pass(6_000);
    expect(world.clock.pending).toBe(0);
    expect(await instance.metering.openSession({ keyId: key, accountId: account }, 'SHARED')).toEqual({
      refusal: 'SERVICE_UNAVAILABLE',
    });
  });

  test('drain without a database tells what could not be settled, in time', async () => {
    await using world = openWorld();
    const { account, key } = await customer(world);
    const instance = await world.instance();
    const stream = await world.stream(instance, account, key);
    stream.pull(1_000);
    instance.line.cut = true;
    const drained = instance.metering.drain(2_000);
    await world.pass(2_000);
    expect(await drained).toEqual({ unsettledBytes: 1_000 });
  });
});
