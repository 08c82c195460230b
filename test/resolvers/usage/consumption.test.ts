import { afterAll, beforeAll, expect, test } from 'vitest';

import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { usageByDay } from '../../../src/resolvers/usage/usageByDay.ts';
import { usageByHour } from '../../../src/resolvers/usage/usageByHour.ts';
import { NANO } from '../../../src/units.ts';
import { makeAccount, openTestServices, spend, type TestAccount, type TestServices } from '../../harness/context.ts';

/** A Monday that is also the first of a month, at half past ten. */
const NOW = new Date('2027-02-01T10:30:00Z');
const MB = 1_000_000n;

let services: TestServices;
let account: TestAccount;
beforeAll(async () => {
  services = await openTestServices(() => NOW);
  account = await makeAccount(services, { credits: 10n * NANO });
  const { id } = account.apiKey;
  const second = (await createApiKey(account.ctx, { name: 'second' })).apiKey.id;
  const deposit = { accountId: account.user.id, kind: 'DEPOSIT', contra: 'CARD' } as const;
  await spend(services, id, { product: 'BROWSER', up: MB, down: MB, at: new Date('2027-01-31T23:59:59.999Z') });
  await post(services.db, { ...deposit, id: 'a', amount: NANO }, new Date('2027-01-31T23:59:59.999Z'));
  await spend(services, id, { product: 'SHARED', up: MB, down: 2n * MB, at: new Date('2027-02-01T00:00:00Z') });
  await post(services.db, { ...deposit, id: 'b', amount: 2n * NANO }, new Date('2027-02-01T00:00:00Z'));
  await spend(services, id, { product: 'DEDICATED', up: 0n, down: MB, at: NOW });
  await spend(services, second, { product: 'SHARED', up: 0n, down: MB, at: NOW });
});
afterAll(() => services[Symbol.asyncDispose]());

const none = (product: string) => ({ product, bytesUp: 0n, bytesDown: 0n, credits: 0n });

test('days are complete, ascend, end today and split at midnight UTC', async () => {
  const days = await usageByDay(account.ctx, account.user.id, 3, null);
  expect(days).toEqual([
    {
      date: '2027-01-30',
      shared: none('SHARED'),
      dedicated: none('DEDICATED'),
      browser: none('BROWSER'),
      credits: 0n,
      deposits: 0n,
    },
    {
      date: '2027-01-31',
      shared: none('SHARED'),
      dedicated: none('DEDICATED'),
      browser: { product: 'BROWSER', bytesUp: MB, bytesDown: MB, credits: 20n * MB },
      credits: 20n * MB,
      deposits: NANO,
    },
    {
      date: '2027-02-01',
      shared: { product: 'SHARED', bytesUp: MB, bytesDown: 3n * MB, credits: 12n * MB },
      dedicated: { product: 'DEDICATED', bytesUp: 0n, bytesDown: MB, credits: 8n * MB },
      browser: none('BROWSER'),
      credits: 20n * MB,
      deposits: 2n * NANO,
    },
  ]);
  expect(await usageByDay(account.ctx, account.user.id, 90, null)).toHaveLength(90);
});

test('the 24 hours of today add up to today', async () => {
  const hours = await usageByHour(account.ctx, account.user.id, null);
  expect(hours.map(({ hour }) => hour)).toEqual(Array.from({ length: 24 }, (_, hour) => hour));
  expect(hours[10]).toMatchObject({ startsAt: new Date('2027-02-01T10:00:00Z'), credits: 11n * MB, deposits: 0n });
  const [today] = await usageByDay(account.ctx, account.user.id, 1, null);
  const sum = (pick: (hour: (typeof hours)[number]) => bigint): bigint =>
    hours.reduce((total, hour) => total + pick(hour), 0n);
  expect(sum(({ credits }) => credits)).toBe(today?.credits);
  expect(sum(({ deposits }) => deposits)).toBe(today?.deposits);
  expect(sum(({ shared }) => shared.bytesDown)).toBe(today?.shared.bytesDown);
});

test('narrowed to a key, its traffic alone; keys of others are absent', async () => {
  const [today] = await usageByDay(account.ctx, account.user.id, 1, account.apiKey.id);
  expect(today).toMatchObject({ credits: 17n * MB, deposits: 2n * NANO });
  const hours = await usageByHour(account.ctx, account.user.id, account.apiKey.id);
  expect(hours[10]?.credits).toBe(8n * MB);
  const other = await makeAccount(services);
  for (const keyId of [other.apiKey.id, 999_999n]) {
    await expect(usageByDay(account.ctx, account.user.id, 1, keyId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(usageByHour(account.ctx, account.user.id, keyId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});
