import type { PrivateKeyAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { OperationContext } from '../../../src/context.ts';
import { sql } from '../../../src/database/sql.ts';
import { findSession } from '../../../src/resolvers/auth/findCredential.ts';
import { verifyToken } from '../../../src/resolvers/auth/tokens.ts';
import { signInWithWallet } from '../../../src/resolvers/wallets/signInWithWallet.ts';
import { openTestServices, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey, type Proof } from '../../harness/wallet.ts';

const AUDIT = sql(
  'testAuditOf',
  `select action, detail->>'by' as by, address, actor_id as actor from audit_log where account_id = $1 order by id`,
);
const STATE = sql(
  'testWalletState',
  `select (select count(*)::int from users where wallet_address = $1) as users,
     (select count(*)::int from session s join users u on u.id = s.user_id where u.wallet_address = $1) as sessions,
     (select count(*)::int from account a join users u on u.id = a.id where u.wallet_address = $1) as accounts,
     (select count(*)::int from credential c join users u on u.id = c.user_id where u.wallet_address = $1) as credentials`,
);
const SUSPEND = sql('testSuspend', 'update users set suspended_at = clock_timestamp() where id = $1');

let services: TestServices;
let clock: () => Date = () => new Date();
beforeAll(async () => void (services = await openTestServices(() => clock())));
afterAll(() => services[Symbol.asyncDispose]());

const signIn = (ctx: OperationContext, proof: Proof) => signInWithWallet(ctx, { ...proof, kind: 'GRAPHQL' });
const stateOf = async ({ address }: Pick<PrivateKeyAccount, 'address'>) =>
  (await services.db.query(STATE, [address.toLowerCase()]))[0];
const NOTHING = { users: 0, sessions: 0, accounts: 0, credentials: 0 };

test('the first time makes an account, the next time opens it', async () => {
  const ctx = newClient(services);
  const key = newKey();
  const first = await signInWithKey(ctx, key);
  expect(first.user).toMatchObject({
    email: null,
    username: null,
    walletAddress: key.address.toLowerCase(),
    role: 'USER',
    account: { balance: 0n },
  });
  expect(first.refreshToken).not.toBeNull();
  const claims = await verifyToken(services.keys, first.token, services.now());
  expect(claims?.userId).toBe(first.user.id);
  expect(await findSession(services.db, claims?.sessionId ?? '', first.user.id)).toBeDefined();
  expect((await signInWithKey(newClient(services), key)).user.id).toBe(first.user.id);
  expect(await stateOf(key)).toEqual({ users: 1, sessions: 2, accounts: 1, credentials: 0 });
  expect((await services.db.query(AUDIT, [first.user.id])).slice(0, 2)).toEqual([
    { action: 'ACCOUNT_CREATED', by: 'WALLET', address: ctx.clientAddress, actor: null },
    { action: 'SIGNED_IN', by: 'WALLET', address: ctx.clientAddress, actor: null },
  ]);
});

test('a message serves once', async () => {
  const ctx = newClient(services);
  const proof = await signChallenge(ctx, newKey());
  await signIn(ctx, proof);
  for (let times = 0; times < 20; times += 1) {
    await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
  }
  // A replay is no failed attempt.
  await signInWithKey(ctx, newKey());
  expect(await services.throttle.blockedFor(ctx.clientAddress, proof.address.toLowerCase())).toBeUndefined();
});

describe('what is refused, and leaves nothing behind', () => {
  const refused = async (key: PrivateKeyAccount, change: (proof: Proof) => Proof, code: string) => {
    const ctx = newClient(services);
    const proof = await signChallenge(ctx, key);
    await expect(signIn(ctx, change(proof))).rejects.toMatchObject({ code });
    expect(await stateOf(key)).toEqual(NOTHING);
    return { ctx, proof };
  };

  test('a signature of another key; the message is used up', async () => {
    const key = newKey();
    const other = newKey();
    const signature = await other.signMessage({ message: 'x' });
    const { ctx, proof } = await refused(key, (good) => ({ ...good, signature }), 'INVALID_SIGNATURE');
    await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
  });
  test('a signature under another message of the same wallet', async () => {
    const key = newKey();
    const { signature } = await signChallenge(newClient(services), key);
    await refused(key, (good) => ({ ...good, signature }), 'INVALID_SIGNATURE');
  });
  test('a message that was changed; the one given out stays good', async () => {
    const key = newKey();
    const changed = ({ message, ...good }: Proof): Proof => ({
      ...good,
      message: message.replace('Connexion a', 'Connexion b'),
    });
    const { ctx, proof } = await refused(key, changed, 'INVALID_CHALLENGE');
    await signIn(ctx, proof);
  });
  test('a message that nobody gave out', async () => {
    const key = newKey();
    const invented = ({ message, ...good }: Proof): Proof => ({
      ...good,
      message: message.replace(/Nonce: \w+/, `Nonce: ${'0'.repeat(32)}`),
    });
    await refused(key, invented, 'INVALID_CHALLENGE');
  });
  test('a message of another wallet', async () => {
    const { address } = newKey();
    await refused(newKey(), (good) => ({ ...good, address }), 'INVALID_CHALLENGE');
  });
  test('a text that is no message', async () => {
    await refused(newKey(), (good) => ({ ...good, message: 'hello' }), 'BAD_INPUT');
  });
  test('a message given out to link', async () => {
    const key = newKey();
    const ctx = newClient(services);
    const proof = await signChallenge(ctx, key, { purpose: 'LINK' });
    await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    expect(await stateOf(key)).toEqual(NOTHING);
  });
  test('a message that has expired', async () => {
    const key = newKey();
    const ctx = newClient(services);
    const proof = await signChallenge(ctx, key);
    const late = new Date(Date.now() + 5 * 60_000);
    clock = () => late;
    await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    clock = () => new Date();
    expect(await stateOf(key)).toEqual(NOTHING);
  });
  test('a message of this service under another name', async () => {
    const key = newKey();
    const ctx = newClient(services);
    const proof = await signChallenge(ctx, key);
    const renamed = { ...ctx, publicUrl: () => 'https://other.example' };
    await expect(signIn(renamed, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    await signIn(ctx, proof);
  });
  test('a suspended account', async () => {
    const key = newKey();
    const ctx = newClient(services);
    const { user } = await signInWithKey(ctx, key);
    await services.db.query(SUSPEND, [user.id]);
    await expect(signInWithKey(ctx, key)).rejects.toMatchObject({ code: 'ACCOUNT_SUSPENDED' });
    expect(await stateOf(key)).toMatchObject({ sessions: 1 });
  });
});

test('ten wrong signatures throttle that wallet from that address, and nobody else', async () => {
  const key = newKey();
  const ctx = newClient(services);
  const wrong = newKey();
  const fail = async () => {
    const proof = await signChallenge(ctx, key);
    return signIn(ctx, { ...proof, signature: await wrong.signMessage(proof) });
  };
  for (let times = 0; times < 10; times += 1) await expect(fail()).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' });
  const proof = await signChallenge(ctx, key);
  await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'THROTTLED' });
  await signInWithKey(ctx, newKey());
  const elsewhere = newClient(services);
  // Being throttled has not used the message up.
  await signIn(elsewhere, proof);
});
