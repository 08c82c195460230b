import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { listUsers, type UserFilter } from '../../../src/resolvers/admin/listUsers.ts';
import { suspendAccount } from '../../../src/resolvers/admin/suspendAccount.ts';
import { updateUser } from '../../../src/resolvers/admin/updateUser.ts';
import { createAccount } from '../../../src/resolvers/accounts/createAccount.ts';
import { createKeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator } from '../../../src/resolvers/auth/authenticate.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { asSession, makeAccount, openTestServices, PASSWORD, run, type TestServices } from '../../harness/context.ts';

const WALLET = sql('testSetWallet', 'update users set wallet_address = $2 where id = $1');
const ANY: UserFilter = { search: null, role: null, suspended: null };

let services: TestServices;
const operator = () => asSession(services, { id: 0n, role: 'ADMIN' });
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

describe('users', () => {
  let ids: bigint[];
  beforeAll(async () => {
    ids = [];
    for (const [email, username] of [
      ['alice@example.com', 'Al_ice'],
      ['bob@example.org', 'Bob%'],
      ['carol@example.com', 'C\\arol'],
    ] as const) {
      const input = { email, username, password: PASSWORD, role: email.startsWith('bob') ? 'ADMIN' : 'USER' } as const;
      ids.push((await createAccount(operator(), input)).user.id);
    }
    await services.db.query(WALLET, [ids[0], `0x${'ab'.repeat(20)}`]);
  });
  const find = async (filter: Partial<UserFilter>) =>
    (await listUsers(services, {}, { ...ANY, ...filter })).edges.map(({ node }) => ids.indexOf(node.id));

  test('are found by parts of e-mail address, username and wallet, in any case, and by number', async () => {
    expect(await find({})).toEqual([0, 1, 2]);
    expect(await find({ search: 'ALICE@' })).toEqual([0]);
    expect(await find({ search: 'example.com' })).toEqual([0, 2]);
    expect(await find({ search: 'AROL' })).toEqual([2]);
    expect(await find({ search: '0xABab' })).toEqual([0]);
    expect(await find({ search: String(ids[1]) })).toEqual([1]);
    expect(await find({ search: '9'.repeat(19) })).toEqual([]);
    expect(await find({ search: '9'.repeat(254) })).toEqual([]);
    expect(await find({ search: 'nobody' })).toEqual([]);
  });

  test('signs that LIKE gives a meaning stand for themselves', async () => {
    expect(await find({ search: '%' })).toEqual([1]);
    expect(await find({ search: '_' })).toEqual([0]);
    expect(await find({ search: '\\' })).toEqual([2]);
    expect(await find({ search: 'a%e' })).toEqual([]);
    expect(await find({ search: "' or true --" })).toEqual([]);
  });

  test('are filtered by role and suspension', async () => {
    expect(await find({ role: 'ADMIN' })).toEqual([1]);
    expect(await find({ role: 'USER', search: 'example' })).toEqual([0, 2]);
    await suspendAccount(operator(), ids[2] ?? 0n, 'x');
    expect(await find({ suspended: true })).toEqual([2]);
    expect(await find({ suspended: false })).toEqual([0, 1]);
  });

  test('come page by page, both ways, with their number', async () => {
    const page = async (args: object) => {
      const connection = await listUsers(services, args, ANY);
      const { hasNextPage, hasPreviousPage } = connection.pageInfo;
      return {
        ...connection,
        shown: connection.edges.map(({ node }) => ids.indexOf(node.id)),
        hasNextPage,
        hasPreviousPage,
      };
    };
    const first = await page({ first: 2 });
    expect(first).toMatchObject({ shown: [0, 1], hasNextPage: true, hasPreviousPage: false });
    expect(await first.totalCount()).toBe(3);
    const second = await page({ first: 2, after: first.pageInfo.endCursor });
    expect(second).toMatchObject({ shown: [2], hasNextPage: false, hasPreviousPage: true });
    const last = await page({ last: 2 });
    expect(last).toMatchObject({ shown: [1, 2], hasNextPage: false, hasPreviousPage: true });
    expect(await page({ last: 2, before: last.pageInfo.startCursor })).toMatchObject({ shown: [0] });
    await expect(page({ after: 'x' })).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'after' });
  });

  test('that went into another are found as that other', async () => {
    const gone = await makeAccount(services);
    await services.db.transaction((tx) => merge(tx, gone.user.id, ids[0] ?? 0n));
    expect(await find({ search: String(gone.user.id) })).toEqual([0]);
    expect(await find({})).toEqual([0, 1, 2]);
  });

  test('are shown with all that belongs to them', async () => {
    const admin = await makeAccount(services, { role: 'ADMIN' });
    const source = `{ users(search: "bob") { totalCount edges { node { email username role plan language suspendedAt
      grid { name } balance pricing { rate } settings { alertThreshold } apiKeys { totalCount }
      auditLog { edges { node { action byOperator } } } } } } }`;
    expect(await run(admin.ctx, source)).toEqual({
      data: {
        users: {
          totalCount: 1,
          edges: [
            {
              node: {
                ...{ email: 'bob@example.org', username: 'Bob%', role: 'ADMIN', plan: 'FREE', language: 'EN' },
                ...{ suspendedAt: null, grid: { name: 'Standard' }, balance: '0', pricing: { rate: '1' } },
                ...{ settings: { alertThreshold: '50' }, apiKeys: { totalCount: 0 } },
                auditLog: { edges: [{ node: { action: 'ACCOUNT_CREATED', byOperator: true } }] },
              },
            },
          ],
        },
      },
    });
    const { errors } = await run(admin.ctx, '{ users(search: "") { totalCount } }');
    expect(errors?.[0]?.originalError).toMatchObject({ code: 'BAD_INPUT', field: 'search' });
  });
});

describe('rights', () => {
  beforeEach(() => void (services.published.length = 0));

  test('change as given, and every credential obeys at once', async () => {
    const { user, secret, ctx } = await makeAccount(services);
    const activity = createKeyActivity(services);
    const auth = createAuthenticator(services, { cacheMs: () => 30_000, activity });
    const viewer = () => auth.bearer(secret, '127.0.0.1');
    expect(await viewer()).toMatchObject({ role: 'USER', permissions: [] });
    services.published.length = 0;
    const { user: changed } = await updateUser(operator(), user.id, { permissions: ['app.testnet', 'app.testnet'] });
    expect(changed).toMatchObject({ role: 'USER', permissions: ['app.testnet'], plan: 'FREE' });
    expect(services.published).toEqual([
      {
        name: 'credentialsChanged',
        event: expect.objectContaining({ accountId: user.id, keyId: null, sessionId: null, revoked: false }),
      },
    ]);
    expect(await viewer()).toMatchObject({ role: 'USER', permissions: ['app.testnet'] });
    await updateUser(operator(), user.id, { role: 'ADMIN', plan: 'PRO' });
    expect(await viewer()).toMatchObject({ role: 'ADMIN', permissions: ['app.testnet'] });
    services.published.length = 0;
    const same = await updateUser(operator(), user.id, { role: 'ADMIN', permissions: null, plan: 'PRO' });
    expect(same.user).toMatchObject({ role: 'ADMIN', permissions: ['app.testnet'], plan: 'PRO' });
    expect(services.published).toEqual([]);
    const { data } = await run(
      ctx,
      '{ viewer { user { auditLog(first: 2) { edges { node { detail { name value } } } } } } }',
    );
    expect(data).toEqual({
      viewer: {
        user: {
          auditLog: {
            edges: [
              {
                node: {
                  detail: [
                    { name: 'plan', value: 'PRO' },
                    { name: 'role', value: 'ADMIN' },
                  ],
                },
              },
              { node: { detail: [{ name: 'permissions', value: 'app.testnet' }] } },
            ],
          },
        },
      },
    });
    auth.close();
    await activity.close();
  });

  test('are those that exist, of users who are there', async () => {
    const [{ user }, gone] = [await makeAccount(services), await makeAccount(services)];
    await services.db.transaction((tx) => merge(tx, gone.user.id, user.id));
    await expect(updateUser(operator(), user.id, { permissions: ['app.root'] })).rejects.toMatchObject({
      code: 'BAD_INPUT',
      field: 'permissions',
    });
    for (const id of [999_999n, gone.user.id])
      await expect(updateUser(operator(), id, { plan: 'PRO' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('nobody gives up the own role, and the last administrator keeps it', async () => {
    await using fresh = await openTestServices();
    const [one, two] = [await makeAccount(fresh, { role: 'ADMIN' }), await makeAccount(fresh, { role: 'ADMIN' })];
    await expect(updateUser(one.ctx, one.user.id, { role: 'USER' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const both = await Promise.allSettled([
      updateUser(one.ctx, two.user.id, { role: 'USER' }),
      updateUser(two.ctx, one.user.id, { role: 'USER' }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const { edges } = await listUsers(fresh, {}, { ...ANY, role: 'ADMIN' });
    expect(edges).toHaveLength(1);
  });
});
