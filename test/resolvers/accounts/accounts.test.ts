import { afterAll, beforeAll, expect, test } from 'vitest';

import { adjustBalance } from '../../../src/resolvers/accounts/adjustBalance.ts';
import { checkLedger } from '../../../src/resolvers/accounts/checkLedger.ts';
import { createAccount } from '../../../src/resolvers/accounts/createAccount.ts';
import { findViewer } from '../../../src/resolvers/accounts/findViewer.ts';
import { firstAccount } from '../../../src/resolvers/accounts/firstAccount.ts';
import { resetUsage } from '../../../src/resolvers/accounts/resetUsage.ts';
import { updateLimits } from '../../../src/resolvers/accounts/updateLimits.ts';
import { windowState } from '../../../src/resolvers/accounts/windows.ts';
import { updateApiKey } from '../../../src/resolvers/apiKeys/updateApiKey.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { NANO } from '../../../src/units.ts';
import {
  asSession,
  contextOf,
  makeAccount,
  openTestServices,
  PASSWORD,
  spend,
  viewerOf,
  type TestServices,
} from '../../harness/context.ts';

let services: TestServices;
const operator = () => asSession(services, { id: 0n, role: 'ADMIN' });
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

test('the first account is made once, however many servers start', async () => {
  await using empty = await openTestServices();
  const options = { email: 'Admin@Localhost', password: undefined, apiKey: undefined, welcomeCredits: 10n * NANO };
  const made = (await Promise.all([1, 2, 3].map(() => firstAccount(empty, options)))).filter(
    (first) => first !== undefined,
  );
  expect(made).toEqual([
    {
      email: 'admin@localhost',
      password: expect.stringMatching(/^.{43}$/),
      apiKey: expect.stringMatching(/^lpf_[0-9a-f]{32}$/),
      credits: 10n * NANO,
    },
  ]);
  expect(await firstAccount(empty, options)).toBeUndefined();
  const { user } = await signIn(contextOf(empty, null), {
    email: 'admin@localhost',
    password: made[0]?.password ?? '',
    kind: 'GRAPHQL',
  });
  expect(user).toMatchObject({ role: 'ADMIN', emailVerified: true, account: { balance: 10n * NANO } });
});

test('e-mail address and username belong to one account, in any case', async () => {
  const input = { email: 'Taken@Example.com', password: PASSWORD, username: 'Taken', role: 'USER' } as const;
  const { user } = await createAccount(operator(), { ...input, credits: NANO });
  expect(user).toMatchObject({ email: 'taken@example.com', username: 'Taken', account: { balance: NANO } });
  await expect(createAccount(operator(), { ...input, username: null })).rejects.toMatchObject({ code: 'EMAIL_TAKEN' });
  await expect(
    createAccount(operator(), { ...input, email: 'new@example.com', username: 'tAKEN' }),
  ).rejects.toMatchObject({ code: 'USERNAME_TAKEN' });
  const race = await Promise.allSettled(
    Array.from({ length: 5 }, (_, n) =>
      createAccount(operator(), { ...input, email: `r${n}@example.com`, username: 'race' }),
    ),
  );
  expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('remaining is the least of balance and windows, of the key too when one is presented', async () => {
  const { user, apiKey, ctx } = await makeAccount(services, { credits: 10n * NANO });
  const byKey = contextOf(services, viewerOf(user, apiKey));
  const remaining = async (): Promise<unknown> => [
    (await findViewer(ctx))?.remaining,
    (await findViewer(byKey))?.remaining,
  ];
  expect(await remaining()).toEqual([10n * NANO, 10n * NANO]);
  await updateLimits(ctx, { weeklyLimit: 8n * NANO });
  await updateApiKey(ctx, apiKey.id, { dailyLimit: 5n * NANO });
  expect(await remaining()).toEqual([8n * NANO, 5n * NANO]);
  await spend(services, apiKey.id, { product: 'BROWSER', up: 0n, down: 100_000_000n, at: new Date() });
  expect(await remaining()).toEqual([7n * NANO, 4n * NANO]);
  await updateApiKey(ctx, apiKey.id, { dailyLimit: NANO });
  expect(await remaining()).toEqual([7n * NANO, 0n]);
  expect(await findViewer(ctx)).toMatchObject({ apiKey: null, user: { account: { balance: 9n * NANO } } });
  expect(await findViewer(byKey)).toMatchObject({ apiKey: { id: apiKey.id }, user: { id: user.id } });
  expect(await findViewer(contextOf(services, null))).toBeNull();
  const reset = await resetUsage(operator(), apiKey.id, 'DAY');
  expect(windowState(reset.apiKey.meter, 'DAY', new Date())).toMatchObject({ used: 0n, remaining: NANO });
  expect(await remaining()).toEqual([7n * NANO, NANO]);
});

test('an adjustment happens once per idempotency key, and never takes more than there is', async () => {
  const { user } = await makeAccount(services, { credits: NANO });
  const other = await makeAccount(services);
  const input = { amount: -NANO / 4n, reason: 'correction', idempotencyKey: 'a|b use:1' };
  const [first, ...again] = await Promise.all(
    Array.from({ length: 100 }, () => adjustBalance(operator(), user.id, input)),
  );
  expect(first?.transaction).toMatchObject({
    type: 'ADJUSTMENT',
    subtype: 'CORRECTION',
    amount: -NANO / 4n,
    reason: 'correction',
  });
  expect(first?.user.account.balance).toBe((NANO * 3n) / 4n);
  for (const repeated of again) expect(repeated).toEqual(first);
  const attempt = (id: bigint, change: Partial<typeof input>) => adjustBalance(operator(), id, { ...input, ...change });
  await expect(attempt(user.id, { amount: NANO })).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  await expect(attempt(other.user.id, {})).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  await expect(attempt(user.id, { amount: -NANO, idempotencyKey: 'c' })).rejects.toMatchObject({
    code: 'INSUFFICIENT_CREDIT',
  });
  await expect(attempt(999_999n, { idempotencyKey: 'd' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect((await findViewer(asSession(services, user)))?.remaining).toBe((NANO * 3n) / 4n);
});

test('account limits: absent leaves alone, null clears, and everything is announced', async () => {
  const { ctx, user } = await makeAccount(services, { credits: NANO });
  await updateLimits(ctx, { dailyLimit: 5n, weeklyLimit: 6n });
  services.published.length = 0;
  const { user: changed } = await updateLimits(ctx, { dailyLimit: null, monthlyLimit: 0n });
  expect(changed.account).toMatchObject({ dayLimit: null, weekLimit: 6n, monthLimit: 0n });
  expect(services.published).toEqual([
    { name: 'accountEvents', event: [expect.objectContaining({ kind: 'limit', keyId: null, remaining: 0n })] },
    { name: 'leasesChanged', event: { accountId: user.id, keyIds: null } },
  ]);
  services.published.length = 0;
  expect(await updateLimits(ctx, {})).toEqual({ user: changed });
  expect(services.published).toEqual([]);
});

test('the ledger is sound after all of it', async () => {
  expect(await checkLedger(services)).toEqual({ drift: 0n, violations: [] });
});
