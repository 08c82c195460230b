import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openInstance } from '../../src/resolvers/ledger/open.ts';
import { openTestServices, type TestServices } from '../harness/context.ts';
import { openTestConnections, TestMember } from '../harness/openConnections.ts';

/** More questions of one account than any account has a share for, and fewer than the instance may ask. */
const MANY = 40;
const PAGE = { after: null, size: 10 };

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

test('one account that asks a lot does not make the answers to another incomplete', async () => {
  const [here, there] = [randomUUID(), randomUUID()];
  for (const id of [here, there]) await openInstance(services.db, id);
  await using asking = openTestConnections(services, here);
  await using answering = openTestConnections(services, there);
  const member = new TestMember(answering.members, 7n);
  const asked = Promise.all(Array.from({ length: MANY }, () => asking.list(1n, [7n], PAGE)));
  const other = await asking.list(2n, [7n], PAGE);
  expect([other.total, other.complete]).toEqual([1, true]);
  const complete = (await asked).filter((found) => found.complete);
  expect(complete.length).toBe(10);
  expect(complete.every(({ total }) => total === 1)).toBe(true);
  member.leave();
  // All of them are over: there is room again.
  expect((await asking.list(1n, [7n], PAGE)).complete).toBe(true);
});

test('about no keys nobody is asked', async () => {
  const alone = randomUUID();
  await openInstance(services.db, alone);
  // It lives, and would never answer.
  await openInstance(services.db, randomUUID());
  await using asking = openTestConnections(services, alone);
  const ref = { instanceId: randomUUID(), no: 1 };
  expect(await asking.find(1n, [], ref)).toBeUndefined();
  expect(await asking.reset(1n, [], ref)).toBe(false);
  const found = await new Promise<boolean>((resolve) => {
    const view = asking.follow({ name: 'none', load: () => Promise.resolve([]) }, 10, () => {
      resolve(view.latest?.complete === true);
      view.close();
    });
  });
  expect(found).toBe(true);
});
