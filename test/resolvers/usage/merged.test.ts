import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { connectTransactions } from '../../../src/resolvers/usage/connectTransactions.ts';
import { findTransaction } from '../../../src/resolvers/usage/findTransaction.ts';
import { pageTransactions } from '../../../src/resolvers/usage/pageTransactions.ts';
import { NANO } from '../../../src/units.ts';
import { makeAccount, openTestServices, type TestAccount, type TestServices } from '../../harness/context.ts';
import { EVERYTHING, idsOf, live, MB, sum, viewOf, type View } from '../wallets/history.ts';

const MOVE_KEYS = sql('testMoveKeys', 'update api_key_profile set user_id = $2 where user_id = $1');

let services: TestServices;
let first: TestAccount;
let account: TestAccount;
let before: readonly View[];
let after: View;

beforeAll(async () => {
  services = await openTestServices();
  first = await makeAccount(services, { credits: 5n * NANO });
  const second = await makeAccount(services, { credits: 6n * NANO });
  account = await makeAccount(services, { credits: 7n * NANO });
  const all = [first, second, account];
  for (const each of all) await live(services, each);
  before = await Promise.all(all.map(viewOf));
  for (const [from, into] of [
    [first, second],
    [second, account],
  ] as const) {
    await merge(services.db, from.user.id, into.user.id);
    await services.db.query(MOVE_KEYS, [from.user.id, into.user.id]);
  }
  after = await viewOf(account);
});
afterAll(() => services[Symbol.asyncDispose]());

test('what was merged into a merged account is listed as well, once, and without the transfers', () => {
  const ids = before.flatMap(idsOf);
  expect(idsOf(after)).toHaveLength(ids.length);
  expect(new Set(idsOf(after))).toEqual(new Set(ids));
  expect(after.totals).toEqual({ count: ids.length, amount: after.balance });
  expect(after.balance).toBe(sum(before.map(({ balance }) => balance)));
});

test('page by page, and by type and key, as well', async () => {
  const { ctx, user } = account;
  const paged: bigint[] = [];
  for (let page = 1; page <= 4; page += 1) {
    const { transactions, total } = await pageTransactions(ctx, user.id, {
      type: null,
      apiKeyId: null,
      page,
      limit: 3,
    });
    expect(total).toBe(12);
    paged.push(...transactions.map(({ id }) => id));
  }
  expect(paged).toEqual(idsOf(after));
  const start = await connectTransactions(ctx, user.id, { first: 5 }, EVERYTHING);
  const next = { first: 100, after: start.pageInfo.endCursor };
  const rest = await connectTransactions(ctx, user.id, next, EVERYTHING);
  expect([...start.edges, ...rest.edges].map(({ node }) => node.id)).toEqual(idsOf(after));
  const last = await connectTransactions(ctx, user.id, { last: 5 }, EVERYTHING);
  expect(last.edges.map(({ node }) => node.id)).toEqual(idsOf(after).slice(-5));
  const ofKey = { type: null, apiKeyId: first.apiKey.id, withTotals: true } as const;
  expect((await connectTransactions(ctx, user.id, {}, ofKey)).totals).toEqual({ count: 2, amount: -17n * MB });
  const deposits = { type: 'DEPOSIT', apiKeyId: null, withTotals: true } as const;
  expect((await connectTransactions(ctx, user.id, {}, deposits)).totals).toEqual({ count: 3, amount: 9n * NANO });
});

test('each of them is found by its id; those of others are not', async () => {
  for (const { id, amount } of after.transactions) {
    const found = await findTransaction({ db: services.db, accountId: account.user.id, id });
    expect(found).toMatchObject({ id, amount });
  }
  const stranger = await makeAccount(services);
  for (const id of idsOf(after)) {
    expect(await findTransaction({ db: services.db, accountId: stranger.user.id, id })).toBeNull();
  }
});

test('sums by type, day and hour are those of all', () => {
  expect(Object.fromEntries(after.summary.map(({ type, total }) => [type, total]))).toEqual({
    DEPOSIT: 9n * NANO,
    CONSUMPTION: -51n * MB,
    ADJUSTMENT: 18n * NANO,
  });
  for (const part of ['days', 'hours'] as const) {
    const totals = (view: View) => view[part].map(({ credits, deposits }) => [credits, deposits]);
    const all = before.map(totals);
    const added = totals(after).map((_row, index) =>
      [0, 1].map((at) => sum(all.map((rows) => rows[index]?.[at] ?? 0n))),
    );
    expect(totals(after)).toEqual(added);
  }
});
