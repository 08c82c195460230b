import { afterAll, beforeAll, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { updateUser } from '../../../src/resolvers/admin/updateUser.ts';
import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { listApiKeys } from '../../../src/resolvers/apiKeys/listApiKeys.ts';
import { check } from '../../../src/resolvers/ledger/check.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { MAX_MERGED_ACCOUNTS, MAX_MERGED_KEYS } from '../../../src/resolvers/wallets/mergeAccount.ts';
import { unlinkWallet } from '../../../src/resolvers/wallets/unlinkWallet.ts';
import { asSession, makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey } from '../../harness/wallet.ts';

const REVOKE = sql(
  'testRevokeSome',
  `update api_key_profile set revoked_at = now()
   where id in (select id from api_key_profile where user_id = $1 and revoked_at is null limit $2)`,
);

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

const operator = () => asSession(services, { id: 0n, role: 'ADMIN' });
/** An account that a wallet alone opens. */
async function walletAccount(keys: number) {
  const wallet = newKey();
  const { user } = await signInWithKey(newClient(services), wallet);
  const ctx = asSession(services, user);
  for (let key = 0; key < keys; key += 1) await createApiKey(ctx, { name: `key ${key}` });
  return { wallet, user, ctx };
}
const proofOf = async (wallet: ReturnType<typeof newKey>) =>
  signChallenge(newClient(services), wallet, { purpose: 'LINK' });

test('an account gathers so many active keys from wallets that come and go, and no more', async () => {
  const { ctx, user } = await makeAccount(services);
  const active = async (): Promise<number> =>
    (await listApiKeys(services, user.id)).filter(({ revokedAt }) => revokedAt === null).length;
  const gather = async (): Promise<void> => {
    const { wallet } = await walletAccount(10);
    await linkWallet(ctx, await proofOf(wallet));
    await unlinkWallet(ctx, {});
  };
  while ((await active()) + 10 <= MAX_MERGED_KEYS) await gather();
  const { wallet, user: other, ctx: theirs } = await walletAccount(10);
  await expect(linkWallet(ctx, await proofOf(wallet))).rejects.toMatchObject({ code: 'MERGE_LIMIT_REACHED' });
  // Nothing of it was done.
  expect((await signInWithKey(newClient(services), wallet)).user.id).toBe(other.id);
  expect(await listApiKeys(theirs, other.id)).toHaveLength(10);
  await services.db.query(REVOKE, [user.id, 10]);
  expect((await linkWallet(ctx, await proofOf(wallet))).merged).toBe(true);
  expect(await active()).toBeLessThanOrEqual(MAX_MERGED_KEYS);
  expect(await check(services.db)).toMatchObject({ drift: 0n, violations: [] });
});

test('so many accounts go into one', async () => {
  const { ctx, user } = await makeAccount(services);
  for (let merged = 0; merged < MAX_MERGED_ACCOUNTS; merged += 1) {
    const { wallet } = await walletAccount(0);
    expect((await linkWallet(ctx, await proofOf(wallet))).merged).toBe(true);
    await unlinkWallet(ctx, {});
  }
  const { wallet } = await walletAccount(0);
  await expect(linkWallet(ctx, await proofOf(wallet))).rejects.toMatchObject({ code: 'MERGE_LIMIT_REACHED' });
  // A wallet without an account takes no room.
  expect(await linkWallet(ctx, await proofOf(newKey()))).toMatchObject({ merged: false, user: { id: user.id } });
});

test.each([
  ['FREE', 'PRO', 'PRO'],
  ['PRO', 'STARTER', 'PRO'],
  ['STARTER', 'FREE', 'STARTER'],
  ['FREE', 'FREE', 'FREE'],
] as const)('an account on %s that takes one on %s is on %s', async (mine, theirs, then) => {
  const { ctx, user } = await makeAccount(services);
  const { wallet, user: old } = await walletAccount(0);
  await updateUser(operator(), user.id, { plan: mine });
  await updateUser(operator(), old.id, { plan: theirs });
  expect((await linkWallet(ctx, await proofOf(wallet))).user.plan).toBe(then);
});
