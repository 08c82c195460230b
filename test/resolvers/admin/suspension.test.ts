import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { resumeAccount } from '../../../src/resolvers/admin/resumeAccount.ts';
import { suspendAccount } from '../../../src/resolvers/admin/suspendAccount.ts';
import { openInstance } from '../../../src/resolvers/ledger/open.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import { NANO } from '../../../src/units.ts';
import { asSession, makeAccount, openTestServices, run, type TestServices } from '../../harness/context.ts';

let services: TestServices;
const operator = () => asSession(services, { id: 0n, role: 'ADMIN' });
beforeAll(async () => {
  services = await openTestServices();
});
beforeEach(() => void (services.published.length = 0));
afterAll(() => services[Symbol.asyncDispose]());

const names = () => services.published.map(({ name }) => name);

test('a suspended account gets no credit, and everything of it is told to end', async () => {
  const { user, apiKey, ctx } = await makeAccount(services, { credits: NANO });
  const instance = crypto.randomUUID();
  await openInstance(services.db, instance);
  const ask = async (seq: bigint) => {
    const { answers } = await tick(services.db, instance, [{ keyId: apiKey.id, seq, want: 1000n }], []);
    return answers[0]?.reason;
  };
  expect(await ask(1n)).toBeNull();
  services.published.length = 0;
  const before = Date.now();
  const { user: suspended } = await suspendAccount(operator(), user.id, 'unpaid');
  expect(suspended).toMatchObject({ id: user.id, suspendedFor: 'unpaid', account: { balance: NANO } });
  expect(Math.abs((suspended.suspendedAt?.getTime() ?? 0) - before)).toBeLessThan(60_000);
  expect(services.published).toEqual([
    { name: 'accountEvents', event: [expect.objectContaining({ kind: 'limit', accountId: user.id, keyId: null })] },
    { name: 'leasesChanged', event: { accountId: user.id, keyIds: null } },
    {
      name: 'credentialsChanged',
      event: expect.objectContaining({ accountId: user.id, keyId: null, sessionId: null, revoked: true }),
    },
  ]);
  expect(await ask(2n)).toBe('ACCOUNT_SUSPENDED');
  services.published.length = 0;
  const { user: resumed } = await resumeAccount(operator(), user.id);
  expect(resumed).toMatchObject({ suspendedAt: null, suspendedFor: null, account: { balance: NANO } });
  expect(names()).toEqual(['accountEvents', 'leasesChanged', 'credentialsChanged']);
  expect(services.published.at(-1)?.event).toMatchObject({ accountId: user.id, revoked: false });
  expect(await ask(3n)).toBeNull();
  const log =
    '{ viewer { user { auditLog(first: 2) { edges { node { action byOperator detail { name value } } } } } } }';
  expect(await run(ctx, log)).toEqual({
    data: {
      viewer: {
        user: {
          auditLog: {
            edges: [
              { node: { action: 'ACCOUNT_RESUMED', byOperator: true, detail: [] } },
              {
                node: { action: 'ACCOUNT_SUSPENDED', byOperator: true, detail: [{ name: 'reason', value: 'unpaid' }] },
              },
            ],
          },
        },
      },
    },
  });
});

test('suspending and resuming twice is once; another reason replaces the first', async () => {
  const { user } = await makeAccount(services);
  expect((await resumeAccount(operator(), user.id)).user.suspendedAt).toBeNull();
  services.published.length = 0;
  const all = await Promise.all(Array.from({ length: 20 }, () => suspendAccount(operator(), user.id, 'abuse')));
  for (const one of all) expect(one).toEqual(all[0]);
  expect(names()).toEqual(['accountEvents', 'leasesChanged', 'credentialsChanged']);
  const changed = await suspendAccount(operator(), user.id, 'fraud');
  expect(changed.user).toMatchObject({ suspendedFor: 'fraud', suspendedAt: all[0]?.user.suspendedAt });
  expect(services.published).toHaveLength(3);
  await Promise.all(Array.from({ length: 20 }, () => resumeAccount(operator(), user.id)));
  expect(services.published).toHaveLength(6);
});

test('nobody suspends itself, who is not there, or who went into another account', async () => {
  const admin = await makeAccount(services, { role: 'ADMIN' });
  const [from, into] = [await makeAccount(services), await makeAccount(services)];
  await services.db.transaction((tx) => merge(tx, from.user.id, into.user.id));
  await expect(suspendAccount(admin.ctx, admin.user.id, 'x')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  for (const id of [999_999n, from.user.id]) {
    await expect(suspendAccount(operator(), id, 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(resumeAccount(operator(), id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(names()).not.toContain('leasesChanged');
});

test('two administrators who suspend each other at once leave one', async () => {
  await using fresh = await openTestServices();
  const [one, two] = [await makeAccount(fresh, { role: 'ADMIN' }), await makeAccount(fresh, { role: 'ADMIN' })];
  const both = await Promise.allSettled([
    suspendAccount(one.ctx, two.user.id, 'x'),
    suspendAccount(two.ctx, one.user.id, 'x'),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const rejected = both.find((result) => result.status === 'rejected');
  expect(rejected?.reason).toMatchObject({ code: 'FORBIDDEN' });
});
