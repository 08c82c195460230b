import type { PrivateKeyAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { OperationContext } from '../../../src/context.ts';
import { sql } from '../../../src/database/sql.ts';
import { AppError } from '../../../src/errors.ts';
import { check } from '../../../src/resolvers/ledger/check.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { signInWithWallet } from '../../../src/resolvers/wallets/signInWithWallet.ts';
import { makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey, type Proof } from '../../harness/wallet.ts';

const STATE = sql(
  'testRaceState',
  `select (select count(*)::int from users where wallet_address = $1) as users,
     (select count(*)::int from session s join users u on u.id = s.user_id where u.wallet_address = $1) as sessions,
     (select count(*)::int from account a join users u on u.id = a.id where u.wallet_address = $1) as accounts,
     (select count(*)::int from credential c join users u on u.id = c.user_id where u.wallet_address = $1) as credentials`,
);
const SESSIONS = sql(
  'testLiveSessions',
  'select count(*)::int as count from session where user_id = $1 and revoked_at is null',
);

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

const signIn = (ctx: OperationContext, proof: Proof) => signInWithWallet(ctx, { ...proof, kind: 'GRAPHQL' });
const forLinking = async (key = newKey()) => signChallenge(newClient(services), key, { purpose: 'LINK' });
const stateOf = async ({ address }: Pick<PrivateKeyAccount, 'address'>) =>
  (await services.db.query(STATE, [address.toLowerCase()]))[0];

/** How often each outcome came. */
async function outcomes(attempts: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const results = await Promise.allSettled(attempts);
  const counts: Record<string, number> = {};
  for (const result of results) {
    const reason: unknown = result.status === 'rejected' ? result.reason : undefined;
    const name = result.status === 'fulfilled' ? 'OK' : reason instanceof AppError ? reason.code : String(reason);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('50 sign-ins at once', () => {
  const fifty = Array.from({ length: 50 });

  test.each([
    ['one client', () => newClient(services), false],
    ['50 clients', () => newClient(services), true],
  ])('posts of one message by %s: one succeeds', async (_case, client, each) => {
    const key = newKey();
    const first = client();
    const proof = await signChallenge(first, key);
    expect(await outcomes(fifty.map(() => signIn(each ? client() : first, proof)))).toEqual({
      OK: 1,
      INVALID_CHALLENGE: 49,
    });
    expect(await stateOf(key)).toEqual({ users: 1, sessions: 1, accounts: 1, credentials: 0 });
  });

  test('first sign-ins of one wallet: one account', async () => {
    const key = newKey();
    const proofs = await Promise.all(fifty.map(() => signChallenge(newClient(services), key)));
    expect(await outcomes(proofs.map((proof) => signIn(newClient(services), proof)))).toEqual({ OK: 50 });
    expect(await stateOf(key)).toEqual({ users: 1, sessions: 50, accounts: 1, credentials: 0 });
  });
});

describe('linking at once', () => {
  test('50 posts of one message: one succeeds', async () => {
    const { ctx } = await makeAccount(services);
    const proof = await forLinking();
    const attempts = Array.from({ length: 50 }, () =>
      linkWallet({ ...newClient(services), viewer: ctx.viewer }, proof),
    );
    expect(await outcomes(attempts)).toEqual({ OK: 1, INVALID_CHALLENGE: 49 });
  });

  test('50 posts of one signature without its message: one succeeds', async () => {
    const { ctx } = await makeAccount(services);
    const { message: _message, ...proof } = await forLinking();
    const attempts = Array.from({ length: 50 }, () =>
      linkWallet({ ...newClient(services), viewer: ctx.viewer }, proof),
    );
    expect(await outcomes(attempts)).toEqual({ OK: 1, INVALID_CHALLENGE: 49 });
  });

  test('ten accounts want the account of one wallet: one gets it', async () => {
    const key = newKey();
    const { user } = await signInWithKey(newClient(services), key);
    const accounts = await Promise.all(Array.from({ length: 10 }, () => makeAccount(services, { credits: 1n })));
    const attempts = accounts.map(async ({ ctx }) => linkWallet(ctx, await forLinking(key)));
    expect(await outcomes(attempts)).toEqual({ OK: 1, WALLET_TAKEN: 9 });
    expect((await services.db.query(SESSIONS, [user.id]))[0]).toEqual({ count: 0 });
    expect(await check(services.db)).toMatchObject({ drift: 0n, violations: [] });
  });

  test('the wallet signs in while it is linked: no session is left on the account that is no more', async () => {
    const key = newKey();
    const { user } = await signInWithKey(newClient(services), key);
    const { ctx, user: into } = await makeAccount(services);
    const proof = await forLinking(key);
    const signIns = Array.from({ length: 10 }, () => signInWithKey(newClient(services), key));
    const [linked, ...signedIn] = await Promise.all([linkWallet(ctx, proof), ...signIns]);
    expect(linked.merged).toBe(true);
    for (const session of signedIn) expect([user.id, into.id]).toContain(session.user.id);
    expect((await services.db.query(SESSIONS, [user.id]))[0]).toEqual({ count: 0 });
  });
});
