import { once } from 'node:events';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { closeConnection, listConnections, openConnectionStream } from '../harness/connectionStream.ts';
import { newCustomer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { describeFleets, OTHER_INSTANCE_MS, type Fleet } from '../harness/fleet.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { connectThrough } from '../harness/tunnel.ts';

const CREDIT = 10n ** 10n;

let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
});
afterAll(() => origin[Symbol.asyncDispose]());

describeFleets(fleetTests);

function fleetTests(fleet: Fleet): void {
  test('each shows the connections of both, in one order, and closes those of the other', async () => {
    const customer = await newCustomer(fleet.first, CREDIT);
    const stranger = await newCustomer(fleet.second, CREDIT);
    const sockets = [];
    for (const { ready } of [fleet.first, fleet.second, fleet.first, fleet.second]) {
      sockets.push(await connectThrough(ready.socksShared, customer.key, '127.0.0.1', origin.port));
    }
    const started = Date.now();
    const seen = await listConnections(fleet.first, customer);
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS);
    expect([seen.totalCount, seen.complete]).toEqual([4, true]);
    const ids = seen.edges.map(({ node }) => node.id);
    expect((await listConnections(fleet.second, customer)).edges.map(({ node }) => node.id)).toEqual(ids);
    expect((await listConnections(fleet.second, stranger)).totalCount).toBe(0);
    // The second and the fourth are the other server's.
    for (const index of [1, 3]) {
      expect(await closeConnection(fleet.first, stranger, ids[index] ?? '')).toEqual({ code: 'NOT_FOUND' });
      const socket = sockets[index];
      const reset = socket && once(socket, 'error');
      const asked = Date.now();
      expect(await closeConnection(fleet.first, customer, ids[index] ?? '')).toEqual({ id: ids[index] });
      expect(await reset).toMatchObject([{ code: 'ECONNRESET' }]);
      expect(Date.now() - asked).toBeLessThan(OTHER_INSTANCE_MS);
      expect(await closeConnection(fleet.first, customer, ids[index] ?? '')).toEqual({ code: 'NOT_FOUND' });
    }
    expect((await listConnections(fleet.second, customer)).edges.map(({ node }) => node.id)).toEqual([ids[0], ids[2]]);
    for (const socket of sockets) socket.destroy();
  });

  test.each(['websocket', 'sse'] as const)(
    'a stream over %s on one follows what happens on the other',
    async (transport) => {
      const customer = await newCustomer(fleet.first, CREDIT);
      await using live = await openConnectionStream({ transport, http: fleet.first.ready.http, token: customer.token });
      const tunnel = await endlessStream(fleet.second.ready.socksShared, customer.key, origin);
      await live.until(() => Number(live.open()[0]?.bytesDown) > 100_000);
      const [before] = live.open();
      await live.until(() => Number(live.open()[0]?.bytesDown) > Number(before?.bytesDown));
      expect(live.events.at(-1)?.complete).toBe(true);
      tunnel.socket.destroy();
      await live.until(() => live.open().length === 0);
    },
  );

  test('of a server that is stopped nothing is shown any more', async () => {
    const customer = await newCustomer(fleet.first, CREDIT);
    const here = await connectThrough(fleet.first.ready.socksShared, customer.key, '127.0.0.1', origin.port);
    const there = await connectThrough(fleet.second.ready.socksShared, customer.key, '127.0.0.1', origin.port);
    expect((await listConnections(fleet.first, customer)).totalCount).toBe(2);
    there.on('error', () => undefined);
    const [, lost] = (await listConnections(fleet.first, customer)).edges;
    await fleet.second.kill();
    const started = Date.now();
    // It may only be slow: that is not known yet, and is told.
    expect(await listConnections(fleet.first, customer)).toMatchObject({ totalCount: 1, complete: false });
    expect(Date.now() - started).toBeLessThan(OTHER_INSTANCE_MS + 500);
    // Nor is it whether it was closed.
    expect(await closeConnection(fleet.first, customer, lost?.node.id ?? '')).toBe('UNAVAILABLE');
    await expect
      .poll(async () => (await listConnections(fleet.first, customer)).complete, { timeout: 20_000 })
      .toBe(true);
    expect(await closeConnection(fleet.first, customer, lost?.node.id ?? '')).toEqual({ code: 'NOT_FOUND' });
    here.destroy();
    await fleet.second.start();
  }, 60_000);
}
