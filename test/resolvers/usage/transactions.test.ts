import { afterAll, beforeAll, expect, test } from 'vitest';

import { close } from '../../../src/resolvers/ledger/upkeep.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { balanceSummary } from '../../../src/resolvers/usage/balanceSummary.ts';
import { connectTransactions } from '../../../src/resolvers/usage/connectTransactions.ts';
import { findTransaction } from '../../../src/resolvers/usage/findTransaction.ts';
import { pageTransactions } from '../../../src/resolvers/usage/pageTransactions.ts';
import { subtypeLabel } from '../../../src/resolvers/usage/transactionRows.ts';
import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { HOUR_MS, hourStart, NANO } from '../../../src/units.ts';
import { makeAccount, openTestServices, spend, type TestAccount, type TestServices } from '../../harness/context.ts';

const EVERYTHING = { type: null, apiKeyId: null, withTotals: true } as const;
const MB = 1_000_000n;

let services: TestServices;
let account: TestAccount;
let second: bigint;
const now = new Date();
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * HOUR_MS);

beforeAll(async () => {
  services = await openTestServices();
  account = await makeAccount(services, { credits: 10n * NANO });
  second = (await createApiKey(account.ctx, { name: 'second' })).apiKey.id;
  const accountId = account.user.id;
  const deposit = { accountId, kind: 'DEPOSIT', amount: 5n * NANO } as const;
  await post(services.db, { ...deposit, id: 'd1', contra: 'CUSTODY', ref: 'usdt:1:0xabc' }, hoursAgo(3));
  await post(services.db, { ...deposit, id: 'd2', contra: 'CARD', ref: 'stripe:0:pi_abc' }, hoursAgo(2));
  const { id } = account.apiKey;
  await spend(services, id, { product: 'SHARED', up: MB, down: 9n * MB, at: hoursAgo(3) });
  await spend(services, id, { product: 'DEDICATED', up: 0n, down: MB, at: hoursAgo(1) });
  await spend(services, second, { product: 'SHARED', up: 0n, down: MB, at: now });
  await spend(services, second, { product: 'SHARED', up: 0n, down: MB, at: now });
  await close(services.db);
});
afterAll(() => services[Symbol.asyncDispose]());

test('newest first, consumption per key, product and hour, whether the hour is open or closed', async () => {
  const { edges, totals, pageInfo } = await connectTransactions(account.ctx, account.user.id, {}, EVERYTHING);
  const rows = edges.map(({ node }) => node);
  expect(rows.map(({ createdAt }) => createdAt.getTime())).toEqual(
    rows.map(({ createdAt }) => createdAt.getTime()).toSorted((a, b) => b - a),
  );
  expect(new Set(rows.map(({ subtype, amount }) => `${subtype} ${amount}`))).toEqual(
    new Set([
      'CORRECTION 10000000000',
      `SHARED ${-6n * MB}`,
      `DEDICATED ${-8n * MB}`,
      'CARD 5000000000',
      'USDT 5000000000',
      `SHARED ${-30n * MB}`,
    ]),
  );
  expect(totals).toEqual({ count: 6, amount: 20n * NANO - 44n * MB });
  expect(pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
  const open = rows.find(({ amount }) => amount === -6n * MB);
  expect(open).toMatchObject({
    type: 'CONSUMPTION',
    subtypeNumber: 1,
    apiKey: { id: second, name: 'second' },
    product: 'SHARED',
    status: 'CONFIRMED',
    createdAt: hourStart(now),
    bytesUp: 0n,
    bytesDown: 2n * MB,
    txHash: null,
    currency: null,
    chainId: 0,
  });
});

test('deposits show what they were paid with', async () => {
  const { transactions } = await pageTransactions(account.ctx, account.user.id, {
    type: 'DEPOSIT',
    apiKeyId: null,
    page: 1,
    limit: 20,
  });
  expect(transactions).toMatchObject([
    { subtype: 'CARD', subtypeNumber: 2, txHash: 'pi_abc', currency: 'stripe', chainId: 0, apiKey: null },
    { subtype: 'USDT', subtypeNumber: 1, txHash: '0xabc', currency: 'usdt', chainId: 1, apiKey: null },
  ]);
  expect(subtypeLabel('CARD', 'FR')).toBe('Paiement en ligne');
  expect(subtypeLabel('SHARED', 'EN')).toBe('Shared');
});

test('paging forward and backward visits every transaction once', async () => {
  const all = (await connectTransactions(account.ctx, account.user.id, {}, EVERYTHING)).edges.map(
    ({ node }) => node.id,
  );
  const forward: bigint[] = [];
  for (let after: string | null = null, more = true; more;) {
    const page = await connectTransactions(account.ctx, account.user.id, { first: 1, after }, EVERYTHING);
    forward.push(...page.edges.map(({ node }) => node.id));
    expect(page.totals.count).toBe(6);
    after = page.pageInfo.endCursor;
    more = page.pageInfo.hasNextPage;
  }
  expect(forward).toEqual(all);
  const backward: bigint[] = [];
  for (let before: string | null = null, more = true; more;) {
    const page = await connectTransactions(account.ctx, account.user.id, { last: 4, before }, EVERYTHING);
    backward.unshift(...page.edges.map(({ node }) => node.id));
    before = page.pageInfo.startCursor;
    more = page.pageInfo.hasPreviousPage;
  }
  expect(backward).toEqual(all);
  const numbered = [1, 2, 3, 4].map((page) =>
    pageTransactions(account.ctx, account.user.id, { type: null, apiKeyId: null, page, limit: 2 }),
  );
  const pages = await Promise.all(numbered);
  expect(pages.flatMap(({ transactions }) => transactions.map(({ id }) => id))).toEqual(all);
  expect(pages.map(({ total }) => total)).toEqual([6, 6, 6, 6]);
});

test('filters by type, subtype and key; limits are clamped', async () => {
  const read = (request: Partial<Parameters<typeof pageTransactions>[2]>) =>
    pageTransactions(account.ctx, account.user.id, { type: null, apiKeyId: null, page: 1, limit: 20, ...request });
  expect((await read({ type: 'CONSUMPTION' })).total).toBe(3);
  expect((await read({ type: 'CONSUMPTION', subtypeNumber: 1 })).total).toBe(2);
  expect((await read({ type: 'ADJUSTMENT', subtypeNumber: 2 })).total).toBe(0);
  expect((await read({ apiKeyId: second })).transactions).toMatchObject([{ amount: -6n * MB, apiKey: { id: second } }]);
  expect(await read({ page: 0, limit: 0 })).toMatchObject({ page: 1, limit: 1, total: 6 });
  expect(await read({ page: 99, limit: 1000 })).toEqual({ page: 99, limit: 100, total: 6, transactions: [] });
  const { edges, totals } = await connectTransactions(
    account.ctx,
    account.user.id,
    { first: 0 },
    { ...EVERYTHING, type: 'DEPOSIT' },
  );
  expect({ edges, totals }).toEqual({ edges: [], totals: { count: 2, amount: 10n * NANO } });
});

test('a key of another account is as absent as an unknown one', async () => {
  const other = await makeAccount(services);
  for (const apiKeyId of [other.apiKey.id, 999_999n]) {
    await expect(
      connectTransactions(account.ctx, account.user.id, {}, { ...EVERYTHING, apiKeyId }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(
      pageTransactions(account.ctx, account.user.id, { type: null, apiKeyId, page: 1, limit: 1 }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('one transaction by id, for its account alone', async () => {
  const { edges } = await connectTransactions(account.ctx, account.user.id, {}, EVERYTHING);
  for (const { node } of edges) {
    const of = { db: services.db, id: node.id };
    expect(await findTransaction({ ...of, accountId: account.user.id })).toEqual(node);
    expect(await findTransaction({ ...of, accountId: account.user.id + 1n })).toBeNull();
  }
});

test('the summary adds up to the balance, children to their parent', async () => {
  const summary = await balanceSummary(account.ctx, account.user.id);
  expect(summary).toEqual([
    {
      type: 'DEPOSIT',
      total: 10n * NANO,
      count: 2,
      subtypes: [
        { subtype: 'USDT', subtypeNumber: 1, total: 5n * NANO, count: 1 },
        { subtype: 'CARD', subtypeNumber: 2, total: 5n * NANO, count: 1 },
      ],
    },
    {
      type: 'CONSUMPTION',
      total: -44n * MB,
      count: 3,
      subtypes: [
        { subtype: 'SHARED', subtypeNumber: 1, total: -36n * MB, count: 2 },
        { subtype: 'DEDICATED', subtypeNumber: 2, total: -8n * MB, count: 1 },
      ],
    },
    {
      type: 'ADJUSTMENT',
      total: 10n * NANO,
      count: 1,
      subtypes: [{ subtype: 'CORRECTION', subtypeNumber: 1, total: 10n * NANO, count: 1 }],
    },
  ]);
  const nobody = await makeAccount(services);
  expect(await balanceSummary(nobody.ctx, nobody.user.id)).toEqual([]);
});
