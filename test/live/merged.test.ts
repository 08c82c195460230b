import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { lookupHash } from '../../src/crypto.ts';
import { merge } from '../../src/resolvers/ledger/merge.ts';
import { revokeApiKey } from '../../src/resolvers/apiKeys/revokeApiKey.ts';
import { findKey } from '../../src/resolvers/auth/findCredential.ts';
import type { UsageStreamEvent } from '../../src/resolvers/usage/stream.ts';
import { subscribeUsage } from '../../src/resolvers/usage/subscribeUsage.ts';
import { linkWallet } from '../../src/resolvers/wallets/linkWallet.ts';
import { createApiKey } from '../../src/resolvers/apiKeys/createApiKey.ts';
import { asSession, makeAccount, openTestServices, type TestAccount, type TestServices } from '../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey } from '../harness/wallet.ts';

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

/** An account of a wallet, and one that links it. */
async function pair() {
  const wallet = newKey();
  const { user } = await signInWithKey(newClient(services), wallet);
  const ctx = asSession(services, user);
  const old: TestAccount = { user, ctx, ...(await createApiKey(ctx, { name: 'wallet' })) };
  const account = await makeAccount(services, { credits: 5n });
  const link = async () =>
    linkWallet(account.ctx, await signChallenge(newClient(services), wallet, { purpose: 'LINK' }));
  return { old, account, link };
}

describe('what watches a key of an account that is merged into another', () => {
  const watch = (account: TestAccount, follows: boolean) => {
    const lookup = lookupHash(services.keys, account.secret).toString('hex');
    const onDead = vi.fn<(cause: string) => void>();
    const credential = { userId: account.user.id, keyId: account.apiKey.id, sessionId: null, lookup, follows };
    return { onDead, stop: services.live.watchCredential(credential, onDead) };
  };

  test('follows it when it may, and hears there of its end', async () => {
    const { old, account, link } = await pair();
    const follower = watch(old, true);
    const other = watch(old, false);
    await link();
    await vi.waitFor(() => expect(other.onDead.mock.calls).toEqual([['MOVED']]));
    expect(follower.onDead).not.toHaveBeenCalled();
    await revokeApiKey(account.ctx, old.apiKey.id);
    expect(follower.onDead.mock.calls).toEqual([['REVOKED']]);
  });

  test('also when nobody told it of the merge', async () => {
    const { old, account } = await pair();
    await merge(services.db, old.user.id, account.user.id);
    const follower = watch(old, true);
    const other = watch(old, false);
    // The first look, within a second.
    await vi.waitFor(() => expect(other.onDead.mock.calls).toEqual([['MOVED']]), { timeout: 5_000 });
    expect(follower.onDead).not.toHaveBeenCalled();
    follower.stop();
  });
});

describe('the usage stream', () => {
  const open = async (account: TestAccount) => {
    const found = await findKey(services.db, lookupHash(services.keys, account.secret));
    if (found === undefined) throw new Error('there is no such key');
    return subscribeUsage({ ...account.ctx, viewer: found.viewer }, { apiKeyId: null });
  };
  const next = async (stream: AsyncGenerator<UsageStreamEvent, void, void>): Promise<UsageStreamEvent | undefined> => {
    for (;;) {
      const { done, value } = await stream.next();
      if (done === true || value === undefined) return undefined;
      if (value.__typename !== 'UsageHeartbeat') return value;
    }
  };

  test('of the account that was merged ends after it, the other goes on; nobody opens it again', async () => {
    const { old, account, link } = await pair();
    const ending = await open(old);
    const lasting = await open(account);
    const { viewer } = { viewer: { ...old.ctx.viewer, keyId: old.apiKey.id } };
    expect([await next(ending), await next(lasting)]).toMatchObject([
      { __typename: 'UsageSnapshot', balance: 0n },
      { __typename: 'UsageSnapshot', balance: 5n },
    ]);
    await link();
    expect(await next(ending)).toMatchObject({ __typename: 'UsageAdjustment', kind: 'MERGE', balance: 0n });
    expect(await next(ending)).toBeUndefined();
    expect(await next(lasting)).toMatchObject({ __typename: 'UsageAdjustment', kind: 'MERGE', balance: 5n });
    await lasting.return();
    const again = subscribeUsage({ ...old.ctx, viewer }, { apiKeyId: null });
    await expect(again).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
