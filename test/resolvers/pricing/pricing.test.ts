import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { merge } from '../../../src/resolvers/ledger/merge.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { assignGrid } from '../../../src/resolvers/pricing/assignGrid.ts';
import { findPricing, priceOf, quote, rateOf } from '../../../src/resolvers/pricing/findPricing.ts';
import { findGrid, listGrids } from '../../../src/resolvers/pricing/grids.ts';
import { savePriceGrid } from '../../../src/resolvers/pricing/savePriceGrid.ts';
import { NANO } from '../../../src/units.ts';
import { asSession, makeAccount, openTestServices, run, type TestServices } from '../../harness/context.ts';

const PREMIUM = 2n;
const TIERS = [
  { minCredits: 100n * NANO, rate: 900_000_000n },
  { minCredits: 500n * NANO, rate: 800_000_000n },
];

let services: TestServices;
const operator = () => asSession(services, { id: 0n, role: 'ADMIN' });
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

function deposit(accountId: bigint, credits: bigint): Promise<unknown> {
  const id = `deposit:${randomUUID()}`;
  return post(services.db, { id, accountId, kind: 'DEPOSIT', contra: 'CARD', amount: credits, ref: 'stripe:0:pi_1' });
}

describe('prices', () => {
  test('the rate is that of the highest tier reached, below the first 1', () => {
    const at = (credits: bigint) => rateOf({ tiers: TIERS }, credits);
    expect([1n, 100n * NANO - 1n].map(at)).toEqual([NANO, NANO]);
    expect([100n * NANO, 500n * NANO - 1n].map(at)).toEqual([900_000_000n, 900_000_000n]);
    expect([500n * NANO, 10n ** 18n].map(at)).toEqual([800_000_000n, 800_000_000n]);
    expect(rateOf({ tiers: [] }, 10n ** 18n)).toBe(NANO);
  });

  test('the price is exact, and rounded up below a billionth', () => {
    expect(priceOf(500n * NANO, 800_000_000n)).toBe(400n * NANO);
    expect(priceOf(123_456_789_012n, 900_000_000n)).toBe(111_111_110_111n);
    expect(priceOf(1n, 1n)).toBe(1n);
    expect(priceOf(10n * NANO, 1n)).toBe(10n);
    expect(priceOf(1_500_000_001n, 500_000_001n)).toBe(750_000_003n);
  });

  test('everybody begins on the standard grid, at 1', async () => {
    const { user } = await makeAccount(services, { credits: 1000n * NANO });
    // Credit that was given is no deposit.
    expect(await findPricing(services, user.id)).toEqual({
      grid: { id: 1n, name: 'Standard', createdAt: expect.any(Date), tiers: [] },
      rate: NANO,
    });
    await expect(findPricing(services, 999_999n)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('the rate in effect is earned by the largest single deposit, of merged accounts too', async () => {
    const { user } = await makeAccount(services);
    await assignGrid(operator(), user.id, PREMIUM);
    const rate = async () => (await findPricing(services, user.id)).rate;
    await deposit(user.id, 99n * NANO);
    await deposit(user.id, 99n * NANO);
    expect(await rate()).toBe(NANO);
    await deposit(user.id, 100n * NANO);
    expect(await rate()).toBe(900_000_000n);
    const other = await makeAccount(services);
    await deposit(other.user.id, 700n * NANO);
    expect(await rate()).toBe(900_000_000n);
    await services.db.transaction((tx) => merge(tx, other.user.id, user.id));
    expect(await rate()).toBe(800_000_000n);
    expect(await quote(services, user.id, 100n * NANO)).toEqual({
      credits: 100n * NANO,
      rate: 900_000_000n,
      price: 90n * NANO,
    });
  });

  test('reading them is one statement', async () => {
    const { ctx } = await makeAccount(services);
    const seen: string[] = [];
    const query: typeof services.db.query = (statement, values) => {
      seen.push(statement.name);
      return services.db.query(statement, values);
    };
    const result = await run(
      { ...ctx, db: { ...services.db, query } },
      '{ viewer { user { pricing { rate grid { name } tiers { rate } } } } }',
    );
    expect(result).toEqual({
      data: { viewer: { user: { pricing: { rate: '1', grid: { name: 'Standard' }, tiers: [] } } } },
    });
    expect(seen).toEqual(['pricingOfUser']);
  });

  test('through GraphQL as the sample has them', async () => {
    const { user, ctx } = await makeAccount(services);
    await assignGrid(operator(), user.id, PREMIUM);
    await deposit(user.id, 500n * NANO);
    const source = `query ($credits: Credits!) { viewer { user { grid { name }
      pricing { rate grid { name } tiers { minCredits rate } } quote(credits: $credits) { credits rate price } } } }`;
    expect(await run(ctx, source, { credits: '123.456789012' })).toEqual({
      data: {
        viewer: {
          user: {
            grid: { name: 'Premium' },
            pricing: {
              rate: '0.8',
              grid: { name: 'Premium' },
              tiers: [
                { minCredits: '100', rate: '0.9' },
                { minCredits: '500', rate: '0.8' },
              ],
            },
            quote: { credits: '123.456789012', rate: '0.9', price: '111.111110111' },
          },
        },
      },
    });
    for (const credits of ['0', '-1', '1000000000.000000001']) {
      const { errors } = await run(ctx, source, { credits });
      expect(errors?.[0]?.originalError, credits).toMatchObject({ code: 'BAD_INPUT', field: 'credits' });
    }
  });
});

describe('price grids', () => {
  const input = (name: string, tiers = TIERS) => ({ id: null, name, tiers });

  test('there are two at first', async () => {
    await using fresh = await openTestServices();
    expect(await listGrids(fresh)).toEqual([
      { id: 1n, name: 'Standard', createdAt: expect.any(Date), tiers: [] },
      { id: 2n, name: 'Premium', createdAt: expect.any(Date), tiers: TIERS },
    ]);
  });

  test('are made and replaced; quotes follow at once', async () => {
    const { grid } = await savePriceGrid(operator(), input('Gold'));
    expect(grid).toEqual({ id: expect.any(BigInt), name: 'Gold', createdAt: expect.any(Date), tiers: TIERS });
    const { user } = await makeAccount(services);
    await assignGrid(operator(), user.id, grid.id);
    const tiers = [{ minCredits: 1n, rate: 1n }];
    const changed = await savePriceGrid(operator(), { id: grid.id, name: 'Gold 2', tiers });
    expect(changed.grid).toEqual({ ...grid, name: 'Gold 2', tiers });
    expect(await quote(services, user.id, NANO)).toEqual({ credits: NANO, rate: 1n, price: 1n });
    await savePriceGrid(operator(), { id: grid.id, name: 'Gold 2', tiers: [] });
    expect(await quote(services, user.id, NANO)).toEqual({ credits: NANO, rate: NANO, price: NANO });
  });

  test('have names of their own: of 50 at once with one name one is made', async () => {
    const before = (await listGrids(services)).length;
    const race = await Promise.allSettled(Array.from({ length: 50 }, () => savePriceGrid(operator(), input('Race'))));
    expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refused = race.filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
    expect(refused).toHaveLength(49);
    for (const reason of refused) expect(reason).toMatchObject({ code: 'NAME_TAKEN', field: 'name' });
    expect(await listGrids(services)).toHaveLength(before + 1);
    await expect(savePriceGrid(operator(), { id: PREMIUM, name: 'Race', tiers: [] })).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    });
    expect(await findGrid(operator(), PREMIUM)).toMatchObject({ name: 'Premium', tiers: TIERS });
  });

  test('saved at once by many end as one of them wanted', async () => {
    const { grid } = await savePriceGrid(operator(), input('Contended', []));
    const wanted = Array.from({ length: 20 }, (_, n) => [{ minCredits: BigInt(n + 1), rate: BigInt(n + 1) }]);
    await Promise.all(wanted.map((tiers) => savePriceGrid(operator(), { id: grid.id, name: 'Contended', tiers })));
    expect(wanted).toContainEqual((await findGrid(operator(), grid.id))?.tiers);
  });

  test('have tiers that ascend', async () => {
    const [low, high] = TIERS as [(typeof TIERS)[0], (typeof TIERS)[0]];
    for (const tiers of [
      [high, low],
      [low, low],
    ]) {
      await expect(savePriceGrid(operator(), input('Bad', tiers))).rejects.toMatchObject({
        code: 'BAD_INPUT',
        field: 'tiers',
      });
    }
    await expect(savePriceGrid(operator(), { ...input('Nobody'), id: 999_999n })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('through GraphQL within their bounds', async () => {
    const source = `mutation ($input: SavePriceGridInput!) { savePriceGrid(input: $input) {
      ... on SavePriceGridSuccess { grid { name tiers { minCredits rate } } } ... on InputError { code field } } }`;
    const save = async (name: string, tiers: unknown) =>
      (await run(operator(), source, { input: { name, tiers } })).data?.['savePriceGrid'];
    const tier = { minCredits: '1', rate: '0.000000001' };
    const many = (count: number) => Array.from({ length: count }, (_, n) => ({ ...tier, minCredits: String(n + 1) }));
    expect(await save(' Bounds ', [tier])).toEqual({ grid: { name: 'Bounds', tiers: [tier] } });
    expect(await save('Twenty', many(20))).toMatchObject({ grid: { name: 'Twenty' } });
    expect(await save('Twenty-one', many(21))).toEqual({ code: 'BAD_INPUT', field: 'tiers' });
    for (const rate of ['0', '-1', '1000.000000001'])
      expect(await save('Rate', [{ ...tier, rate }]), rate).toEqual({ code: 'BAD_INPUT', field: 'rate' });
    expect(await save('Minimum', [{ ...tier, minCredits: '0' }])).toEqual({ code: 'BAD_INPUT', field: 'minCredits' });
    expect(await save('', [])).toEqual({ code: 'BAD_INPUT', field: 'name' });
    expect(await save('x'.repeat(101), [])).toEqual({ code: 'BAD_INPUT', field: 'name' });
    const { errors } = await run(operator(), source, { input: { name: 'Float', tiers: [{ ...tier, rate: 0.8 }] } });
    expect(errors?.[0]?.message).toMatch(/Decimal must be a string with an exact decimal of at most 9 decimals/);
  });

  test('are assigned once, and seen by whose they are', async () => {
    const { user, ctx } = await makeAccount(services);
    const stranger = await makeAccount(services);
    expect(await findGrid(ctx, 1n)).toMatchObject({ name: 'Standard' });
    expect(await findGrid(ctx, PREMIUM)).toBeNull();
    const first = await assignGrid(operator(), user.id, PREMIUM);
    expect(first.user.gridId).toBe(PREMIUM);
    expect(await assignGrid(operator(), user.id, PREMIUM)).toEqual(first);
    expect(await findGrid(ctx, PREMIUM)).toMatchObject({ name: 'Premium' });
    expect(await findGrid(ctx, 1n)).toBeNull();
    expect(await findGrid(stranger.ctx, PREMIUM)).toBeNull();
    expect((await assignGrid(operator(), user.id, null)).user.gridId).toBeNull();
    expect(await findGrid(ctx, 1n)).toMatchObject({ name: 'Standard' });
    await expect(assignGrid(operator(), user.id, 999_999n)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(assignGrid(operator(), 999_999n, PREMIUM)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await services.db.transaction((tx) => merge(tx, stranger.user.id, user.id));
    await expect(assignGrid(operator(), stranger.user.id, PREMIUM)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { data } = await run(
      ctx,
      '{ viewer { user { auditLog { edges { node { action detail { name value } } } } } } }',
    );
    expect(data).toMatchObject({
      viewer: {
        user: {
          auditLog: {
            edges: expect.arrayContaining([
              { node: { action: 'ACCOUNT_UPDATED', detail: [{ name: 'grid', value: 'Standard' }] } },
              { node: { action: 'ACCOUNT_UPDATED', detail: [{ name: 'grid', value: 'Premium' }] } },
            ]) as unknown,
          },
        },
      },
    });
  });
});
