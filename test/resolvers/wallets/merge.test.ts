import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { lookupHash } from '../../../src/crypto.ts';
import { listAudit } from '../../../src/resolvers/audit/listAudit.ts';
import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { listApiKeys } from '../../../src/resolvers/apiKeys/listApiKeys.ts';
import { findKey } from '../../../src/resolvers/auth/findCredential.ts';
import { check, checkChain } from '../../../src/resolvers/ledger/check.ts';
import { openInstance } from '../../../src/resolvers/ledger/open.ts';
import { tick } from '../../../src/resolvers/ledger/tick.ts';
import { loadUser } from '../../../src/resolvers/accounts/loadUser.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { hourStart, NANO } from '../../../src/units.ts';
import { makeAccount, openTestServices, type TestAccount, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey } from '../../harness/wallet.ts';
import { idsOf, live, MB, sum, viewOf, walletAccount, type View } from './history.ts';

const SETTINGS = sql(
  'testSettingsOf',
  'select user_id, webhook_url, webhook_events from settings where user_id = any($1)',
);
const SET_WEBHOOK = sql(
  'testSetWebhook',
  'insert into settings (user_id, webhook_url, webhook_events, alert_threshold) values ($1, $2, $3, $4)',
);
const LEASES = sql('testLeaseAccounts', 'select account_id, reserved from lease where key_id = $1 and reserved > 0');

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

describe('an account merged into another', () => {
  let old: TestAccount;
  let account: TestAccount;
  let before: readonly [View, View];
  let after: View;
  let published: TestServices['published'];
  let wallet: ReturnType<typeof newKey>;
  const instance = randomUUID();

  beforeAll(async () => {
    ({ account: old, wallet } = await walletAccount(services, 6));
    account = await makeAccount(services, { credits: 10n * NANO });
    for (let more = 1; more < 6; more += 1) await createApiKey(account.ctx, { name: `mail ${more}` });
    await live(services, account);
    // Traffic is on: credit is lent to a key of the old account.
    await openInstance(services.db, instance);
    await tick(services.db, instance, [{ keyId: old.apiKey.id, seq: 1n, want: 30n * MB }], []);
    await services.db.query(SET_WEBHOOK, [old.user.id, 'https://old.example/hook', ['deposit'], 7n]);
    before = [await viewOf(old), await viewOf(account)];
    const from = services.published.length;
    const proof = await signChallenge(newClient(services), wallet, { purpose: 'LINK' });
    expect(await linkWallet(account.ctx, proof)).toMatchObject({ merged: true, user: { id: account.user.id } });
    published = services.published.slice(from);
    after = await viewOf(account);
  });

  test('balances add up exactly', () => {
    expect(after.balance).toBe(before[0].balance + before[1].balance);
    expect(before[0].balance).toBe(3n * NANO - 17n * MB);
  });

  test('transactions of both are listed, and no others: they add up to the balance', () => {
    const expected = [...idsOf(before[0]), ...idsOf(before[1])].toSorted((a, b) => Number(a - b));
    expect(idsOf(after).toSorted((a, b) => Number(a - b))).toEqual(expected);
    expect(sum(after.transactions.map(({ amount }) => amount))).toBe(after.balance);
    expect(after.totals).toEqual({ count: expected.length, amount: after.balance });
    const times = after.transactions.map(({ createdAt }) => createdAt.getTime());
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test('all keys are there, above the limit; a new one is refused', async () => {
    const keys = await listApiKeys(services, account.user.id);
    expect(keys.filter(({ revokedAt }) => revokedAt === null)).toHaveLength(12);
    expect(await listApiKeys(services, old.user.id)).toEqual([]);
    await expect(createApiKey(account.ctx, { name: 'thirteenth' })).rejects.toMatchObject({
      code: 'KEY_LIMIT_REACHED',
    });
  });

  test('the same secrets act for the new account', async () => {
    const found = await findKey(services.db, lookupHash(services.keys, old.secret));
    expect(found?.viewer).toMatchObject({ userId: account.user.id, keyId: old.apiKey.id });
  });

  test('the wallet opens the new account, and what the old one had open is closed', async () => {
    expect((await signInWithKey(newClient(services), wallet)).user.id).toBe(account.user.id);
    expect(await loadUser(services.db, old.user.id)).toMatchObject({
      walletAddress: null,
      email: null,
      account: { balance: 0n },
    });
    const ended = published.filter(({ name }) => name === 'credentialsChanged').map(({ event }) => event);
    expect(ended).toEqual([
      expect.objectContaining({ accountId: old.user.id, sessionsBut: null, revoked: true }),
      expect.objectContaining({ accountId: old.user.id, keyId: null, sessionId: null, revoked: false }),
    ]);
  });

  test('both streams hear of it, and meters of all keys get new terms', () => {
    const events = published.flatMap(({ name, event }): unknown[] => (name === 'accountEvents' ? [event].flat() : []));
    expect(events).toMatchObject([
      { kind: 'merge', accountId: old.user.id, amount: -before[0].balance, balance: 0n },
      { kind: 'merge', accountId: account.user.id, amount: before[0].balance, balance: after.balance },
    ]);
    const terms = published.filter(({ name }) => name === 'leasesChanged').map(({ event }) => event);
    expect(terms).toContainEqual(expect.objectContaining({ accountId: account.user.id, keyIds: null }));
  });

  test('the open lease goes on, and what it spends is the new account’s', async () => {
    const { id: keyId } = old.apiKey;
    expect(await services.db.query(LEASES, [keyId])).toEqual([{ account_id: account.user.id, reserved: 30n * MB }]);
    const line = { keyId, product: 'SHARED', hour: hourStart(new Date()), up: 0n, down: 10n * MB } as const;
    await tick(services.db, instance, [{ keyId, seq: 2n, want: 0n }], [line]);
    const then = await viewOf(account);
    expect(then.balance).toBe(after.balance - 30n * MB);
    expect(sum(then.transactions.map(({ amount }) => amount))).toBe(then.balance);
  });

  test('the webhook came along; alerts are the new account’s', async () => {
    expect(await services.db.query(SETTINGS, [[old.user.id, account.user.id]])).toEqual([
      { user_id: account.user.id, webhook_url: 'https://old.example/hook', webhook_events: ['deposit'] },
    ]);
  });

  test('the audit log of both is read by the new one', async () => {
    const { edges } = await listAudit(account.ctx, { first: 100 }, { accountId: account.user.id, action: null });
    const actions = edges.map(({ node }) => node.action);
    expect(actions.filter((action) => action === 'ACCOUNT_MERGED')).toHaveLength(1);
    expect(actions).toContain('SIGNED_IN');
    expect(edges.map(({ node }) => node.accountId)).toContain(old.user.id);
  });

  test('the ledger is sound', async () => {
    expect(await check(services.db)).toMatchObject({ drift: 0n, violations: [] });
    expect(await checkChain(services.db)).toEqual([]);
  });

  test('a request of the old account that was on the way changes nothing', async () => {
    await expect(createApiKey(old.ctx, { name: 'late' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const { message, ...proof } = await signChallenge(newClient(services), newKey(), { purpose: 'LINK' });
    await expect(linkWallet(old.ctx, { ...proof, message })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

test('a webhook that is there stays', async () => {
  const { account: old, wallet } = await walletAccount(services, 1);
  const account = await makeAccount(services);
  await services.db.query(SET_WEBHOOK, [old.user.id, 'https://old.example/hook', ['deposit'], 7n]);
  await services.db.query(SET_WEBHOOK, [account.user.id, 'https://mine.example/hook', ['balanceLow'], 9n]);
  await linkWallet(account.ctx, await signChallenge(newClient(services), wallet, { purpose: 'LINK' }));
  expect(await services.db.query(SETTINGS, [[old.user.id, account.user.id]])).toEqual([
    { user_id: account.user.id, webhook_url: 'https://mine.example/hook', webhook_events: ['balanceLow'] },
  ]);
});
