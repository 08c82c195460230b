import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { adjustBalance } from '../../../src/resolvers/accounts/adjustBalance.ts';
import { resetUsage } from '../../../src/resolvers/accounts/resetUsage.ts';
import { updateLimits } from '../../../src/resolvers/accounts/updateLimits.ts';
import { updateProfile } from '../../../src/resolvers/accounts/updateProfile.ts';
import { updateApiKey } from '../../../src/resolvers/apiKeys/updateApiKey.ts';
import { createSession } from '../../../src/resolvers/auth/createSession.ts';
import { AUDIT_KEPT_DAYS, deleteOldRecords } from '../../../src/resolvers/audit/deleteOldRecords.ts';
import { findAudit, listAudit, type AuditRow } from '../../../src/resolvers/audit/listAudit.ts';
import { audit } from '../../../src/resolvers/audit/record.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { configureWebhook } from '../../../src/resolvers/settings/configureWebhook.ts';
import { rotateWebhookSecret } from '../../../src/resolvers/settings/rotateWebhookSecret.ts';
import { updateAlerts } from '../../../src/resolvers/settings/updateAlerts.ts';
import { encodeNodeId } from '../../../src/schema/ids.ts';
import { NANO } from '../../../src/units.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  recordsOf,
  run,
  viewerOf,
  type TestAccount,
  type TestServices,
} from '../../harness/context.ts';

const SESSION = sql(
  'testNewestSession',
  'select id::text as id from session where user_id = $1 order by created_at desc',
);

const SETTINGS = sql('testSettingsOf', 'select 1 as found from settings where user_id = $1');
const ALL_EVENTS = { balanceLow: true, deposit: true, dailyUsage: true };

let services: TestServices;
let admin: TestAccount;
beforeAll(async () => {
  services = await openTestServices();
  admin = await makeAccount(services, { role: 'ADMIN' });
});
afterAll(() => services[Symbol.asyncDispose]());

const ofAccount = async ({ ctx, user }: TestAccount, args = {}): Promise<AuditRow[]> =>
  (await listAudit(ctx, args, { accountId: user.id, action: null })).edges.map(({ node }) => node);

test('what the operator does to an account is on record, once', async () => {
  const account = await makeAccount(services, { credits: 5n * NANO });
  const adjustment = { amount: -NANO / 2n, reason: 'refund', idempotencyKey: 'audit' };
  const { transaction } = await adjustBalance(admin.ctx, account.user.id, adjustment);
  await adjustBalance(admin.ctx, account.user.id, adjustment);
  await expect(
    adjustBalance(admin.ctx, account.user.id, { ...adjustment, amount: -100n * NANO, idempotencyKey: 'no' }),
  ).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDIT' });
  await resetUsage(admin.ctx, account.apiKey.id, 'WEEK');
  const rows = await ofAccount(account, { first: 2 });
  expect(rows.map(({ action, byOperator, detail }) => ({ action, byOperator, detail }))).toEqual([
    { action: 'USAGE_RESET', byOperator: true, detail: { apiKey: String(account.apiKey.id), window: 'WEEK' } },
    {
      action: 'BALANCE_ADJUSTED',
      byOperator: true,
      detail: { amount: '-0.5', reason: 'refund', transaction: String(transaction.id) },
    },
  ]);
  const actions = (await ofAccount(account)).map(({ action }) => action);
  expect(actions.filter((action) => action === 'BALANCE_ADJUSTED')).toHaveLength(1);
  const [created] = await ofAccount(account, { last: 1 });
  expect(created).toMatchObject({
    action: 'ACCOUNT_CREATED',
    detail: { email: account.user.email, username: null, role: 'USER', credits: '5' },
  });
});

test('what an account does itself is on record with credential and address', async () => {
  const account = await makeAccount(services);
  const byKey = { ...account.ctx, viewer: viewerOf(account.user, account.apiKey), clientAddress: '192.0.2.7' };
  await updateLimits(account.ctx, { weeklyLimit: 7n * NANO });
  await updateLimits(byKey, { dailyLimit: 5n * NANO, weeklyLimit: null });
  await updateLimits(byKey, {});
  await createSession(account.ctx, account.user.id, 'GRAPHQL');
  const [session] = await services.db.query<{ id: string }>(SESSION, [account.user.id]);
  const sessionId = session?.id ?? '';
  const bySession = { ...account.ctx, viewer: { ...account.ctx.viewer, sessionId }, clientAddress: '2001:db8::7' };
  await updateAlerts(bySession, { alertThreshold: 0n });
  const source = `{ viewer { user { auditLog(first: 2) { edges { node {
    action byOperator operatorNumber accountNumber address apiKey { name } sessionId detail { name value } } } } } } }`;
  const own = { byOperator: false, operatorNumber: null, accountNumber: String(account.user.id) };
  expect((await run(byKey, source)).data).toEqual({
    viewer: {
      user: {
        auditLog: {
          edges: [
            {
              node: {
                ...{ ...own, action: 'SETTINGS_UPDATED', address: '2001:db8::7', apiKey: null },
                sessionId: encodeNodeId('Session', sessionId),
                detail: [{ name: 'alertThreshold', value: '0' }],
              },
            },
            {
              node: {
                ...{
                  ...own,
                  action: 'LIMITS_UPDATED',
                  address: '192.0.2.7',
                  apiKey: { name: 'test' },
                  sessionId: null,
                },
                detail: [
                  { name: 'dailyLimit', value: '5' },
                  { name: 'weeklyLimit', value: null },
                ],
              },
            },
          ],
        },
      },
    },
  });
});

test('customers learn that it was the operator, and no more; operators who', async () => {
  const account = await makeAccount(services);
  const byAdmin = { ...admin.ctx, viewer: viewerOf(admin.user, admin.apiKey), clientAddress: '198.51.100.1' };
  await resetUsage(byAdmin, account.apiKey.id, 'DAY');
  const [seen] = await ofAccount(account, { first: 1 });
  expect(seen).toMatchObject({ byOperator: true, actorId: null, address: null, apiKey: null, sessionId: null });
  const asAdmin = (await listAudit(admin.ctx, { first: 1 }, { accountId: account.user.id, action: null })).edges[0]
    ?.node;
  expect(asAdmin).toMatchObject({ byOperator: true, actorId: admin.user.id, address: '198.51.100.1' });
  expect(asAdmin?.apiKey?.id).toBe(admin.apiKey.id);
  const id = seen?.id ?? 0n;
  expect(await findAudit(account.ctx, id)).toEqual(seen);
  expect(await findAudit(admin.ctx, id)).toEqual(asAdmin);
  const stranger = await makeAccount(services);
  expect(await findAudit(stranger.ctx, id)).toBeNull();
  expect(await findAudit(contextOf(services, null), id)).toBeNull();
  const node = 'query ($id: ID!) { node(id: $id) { ... on AuditEntry { action address } } }';
  const variables = { id: encodeNodeId('AuditEntry', id) };
  expect(await run(account.ctx, node, variables)).toEqual({ data: { node: { action: 'USAGE_RESET', address: null } } });
  expect((await run(stranger.ctx, node, variables)).errors?.[0]?.originalError).toMatchObject({ code: 'NOT_FOUND' });
});

test('the record of merged accounts is read by the one they went into, page by page', async () => {
  const [from, into] = [await makeAccount(services), await makeAccount(services)];
  for (let n = 1; n <= 5; n += 1) {
    const { ctx, user } = n % 2 === 0 ? from : into;
    const detail = { n: String(n), list: ['a', 'b'], flag: true, none: null };
    await services.db.transaction((tx) => audit(tx, ctx, { accountId: user.id, action: 'EMAIL_VERIFIED', detail }));
  }
  const page = async (args: object) => {
    const filter = { accountId: into.user.id, action: 'EMAIL_VERIFIED' } as const;
    const { edges, pageInfo } = await listAudit(into.ctx, args, filter);
    return { shown: edges.map(({ node }) => Number(node.detail['n'])), ...pageInfo };
  };
  expect((await page({})).shown).toEqual([5, 3, 1]);
  await services.db.transaction((tx) => merge(tx, from.user.id, into.user.id));
  expect((await page({})).shown).toEqual([5, 4, 3, 2, 1]);
  const first = await page({ first: 2 });
  expect(first).toMatchObject({ shown: [5, 4], hasNextPage: true, hasPreviousPage: false });
  expect(await page({ first: 2, after: first.endCursor })).toMatchObject({ shown: [3, 2], hasNextPage: true });
  const last = await page({ last: 2 });
  expect(last).toMatchObject({ shown: [2, 1], hasNextPage: false, hasPreviousPage: true });
  expect(await page({ last: 2, before: last.startCursor })).toMatchObject({ shown: [4, 3] });
  const { data } = await run(
    into.ctx,
    `{ viewer { user { auditLog(action: EMAIL_VERIFIED, first: 1) { edges { node {
    detail { name value } } } } } } }`,
  );
  expect(data).toMatchObject({
    viewer: {
      user: {
        auditLog: {
          edges: [
            {
              node: {
                detail: expect.arrayContaining([
                  { name: 'list', value: 'a, b' },
                  { name: 'flag', value: 'true' },
                  { name: 'none', value: null },
                ]) as unknown,
              },
            },
          ],
        },
      },
    },
  });
});

test('operators read all of it', async () => {
  const source = `query ($user: ID) { auditLog(userId: $user, action: ACCOUNT_CREATED) { edges { node {
    accountNumber operatorNumber } } } }`;
  const account = await makeAccount(services);
  const one = { accountNumber: String(account.user.id), operatorNumber: '0' };
  const own = await run(admin.ctx, source, { user: encodeNodeId('User', account.user.id) });
  expect(own).toEqual({ data: { auditLog: { edges: [{ node: one }] } } });
  const { data } = await run(admin.ctx, source);
  const { edges } = (data as { auditLog: { edges: unknown[] } }).auditLog;
  expect(edges[0]).toEqual({ node: one });
  expect(edges.length).toBeGreaterThan(3);
});

test('what is so already is no change: no record, no event', async () => {
  const { ctx, user, apiKey } = await makeAccount(services);
  const limit = { dailyLimit: 5n * NANO, weeklyLimit: null };
  const restricted = { scopes: ['READ'], products: ['SHARED'], allowedIps: ['192.0.2.0/24'] } as const;
  const expiresAt = new Date(Date.now() + 86_400_000);
  const changes = [
    () => updateLimits(ctx, limit),
    () => updateApiKey(ctx, apiKey.id, limit),
    () => updateApiKey(ctx, apiKey.id, limit, true),
    () => updateApiKey(ctx, apiKey.id, { name: 'new', ...limit, ...restricted, expiresAt }),
    () => configureWebhook(ctx, { url: 'https://example.com/', events: ALL_EVENTS }),
    () => updateProfile(ctx, 'FR'),
  ];
  for (const change of changes) await change();
  const [before, heard] = [await recordsOf(services, user.id), services.published.length];
  expect(before.slice(2).map(({ detail }) => detail)).toEqual([
    { dailyLimit: '5' },
    { apiKeyId: String(apiKey.id), dailyLimit: '5', weeklyLimit: null },
    { apiKeyId: String(apiKey.id), name: 'new', ...restricted, expiresAt: expiresAt.toISOString() },
    { webhook: 'https://example.com', webhookEvents: ['balanceLow', 'deposit', 'dailyUsage'] },
    { language: 'FR' },
  ]);
  for (const change of changes) await change();
  expect(await recordsOf(services, user.id)).toEqual(before);
  expect(services.published.slice(heard)).toEqual([]);
  expect((await updateApiKey(ctx, apiKey.id, { dailyLimit: null })).apiKey.meter).toMatchObject({ dayLimit: null });
});

test('of a webhook only the origin is on record: the rest of its URL may be a secret', async () => {
  const { ctx, user } = await makeAccount(services);
  await configureWebhook(ctx, { url: 'https://hooks.example.com/T0/s3cret?key=x#y', events: ALL_EVENTS });
  const record = (await recordsOf(services, user.id)).at(-1);
  expect(record?.detail).toMatchObject({ webhook: 'https://hooks.example.com' });
  expect(JSON.stringify(record)).not.toMatch(/s3cret|key=x/);
});

test('a request of an account that was merged on its way changes nothing, and is told so', async () => {
  const [from, into] = [await makeAccount(services), await makeAccount(services)];
  await services.db.transaction((tx) => merge(tx, from.user.id, into.user.id));
  const before = await recordsOf(services, from.user.id);
  for (const late of [
    () => updateLimits(from.ctx, { dailyLimit: 1n }),
    () => updateAlerts(from.ctx, { alertThreshold: 1n }),
    () => configureWebhook(from.ctx, { url: 'https://example.com/', events: ALL_EVENTS }),
    () => rotateWebhookSecret(from.ctx, null),
    () => updateProfile(from.ctx, 'FR'),
  ])
    await expect(late()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await recordsOf(services, from.user.id)).toEqual(before);
  expect(await services.db.query(SETTINGS, [from.user.id])).toEqual([]);
});

test('nothing on record is changed, or deleted within 400 days', async () => {
  const age = sql(
    'testOldRecord',
    `insert into audit_log (account_id, action, address, at) values (4711, 'SIGNED_IN', '', now() - $1::interval)`,
  );
  for (const days of ['401 days', '399 days']) await services.db.query(age, [days]);
  expect(AUDIT_KEPT_DAYS).toBe(400);
  expect(await deleteOldRecords(services.db, 10)).toBe(1);
  expect(await recordsOf(services, 4711n)).toHaveLength(1);
  await expect(
    services.db.query(sql('testRecordDelete', 'delete from audit_log where account_id = 4711')),
  ).rejects.toThrow(/what was done stays on record/);
  for (const [name, text] of [
    ['testAuditUpdate', `update audit_log set action = 'SIGNED_IN'`],
    ['testAuditDelete', 'delete from audit_log'],
    ['testAuditTruncate', 'truncate audit_log'],
  ] as const)
    await expect(services.db.query(sql(name, text))).rejects.toThrow(/what was done stays on record/);
});
