import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { unlinkWallet } from '../../../src/resolvers/wallets/unlinkWallet.ts';
import {
  asSession,
  makeAccount,
  openTestServices,
  viewerOf,
  type TestAccount,
  type TestServices,
} from '../../harness/context.ts';
import { keepMails, sendDue } from '../../harness/mailRun.ts';
import { newClient, newKey, signChallenge, signInWithKey } from '../../harness/wallet.ts';

const SUSPEND = sql('testSuspendUser', 'update users set suspended_at = clock_timestamp() where id = $1');
const ACTIONS = sql('testAuditActions', 'select action from audit_log where account_id = $1 order by id');
let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

const forLinking = async (key = newKey()) => signChallenge(newClient(services), key, { purpose: 'LINK' });
const actionsOf = async ({ user }: TestAccount): Promise<unknown[]> =>
  (await services.db.query<{ action: string }>(ACTIONS, [user.id])).map(({ action }) => action);
describe('linking', () => {
  test('a wallet that nobody has: it signs in to the account from then on', async () => {
    const account = await makeAccount(services);
    const key = newKey();
    const linked = await linkWallet(account.ctx, await forLinking(key));
    expect(linked).toMatchObject({ merged: false, user: { walletAddress: key.address.toLowerCase() } });
    expect((await signInWithKey(newClient(services), key)).user.id).toBe(account.user.id);
    expect(await actionsOf(account)).toContain('WALLET_LINKED');
  });

  test('as the lpf documentation does it, and when that is allowed alone: without the message, by the one that fits', async () => {
    const { ctx } = await makeAccount(services);
    const key = newKey();
    // Somebody else asks for the same wallet, and it asks for others itself.
    await signChallenge(newClient(services), key);
    const { message, ...proof } = await signChallenge(newClient(services), key);
    const unsigned = await signChallenge(newClient(services), key);
    expect(message).toContain('Connexion a Le Proxy Francais');
    const acceptSignIn = true;
    await expect(linkWallet(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    expect((await linkWallet(ctx, { ...proof, acceptSignIn })).merged).toBe(false);
    await expect(linkWallet(ctx, { ...proof, acceptSignIn })).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' });
    expect(
      (await linkWallet(ctx, { address: unsigned.address, signature: unsigned.signature, acceptSignIn })).merged,
    ).toBe(false);
  });

  test('strangers who ask for the wallet do not push one’s own message out', async () => {
    const { ctx } = await makeAccount(services);
    const key = newKey();
    const { message: _message, ...proof } = await signChallenge(ctx, key, { purpose: 'LINK' });
    for (let times = 0; times < 30; times += 1) await signChallenge(newClient(services), key);
    expect((await linkWallet(ctx, proof)).user.walletAddress).toBe(key.address.toLowerCase());
  });

  test('a message to sign in links nothing when it is named', async () => {
    const { ctx, user } = await makeAccount(services);
    const proof = await signChallenge(newClient(services), newKey());
    await expect(linkWallet(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    expect((await linkWallet(ctx, await forLinking())).user.id).toBe(user.id);
  });

  test('without a message outstanding, or with a signature of none of them, it is refused', async () => {
    const { ctx } = await makeAccount(services);
    const key = newKey();
    const signature = await key.signMessage({ message: 'anything' });
    const address = key.address;
    await expect(linkWallet(ctx, { address, signature })).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    await signChallenge(newClient(services), key, { purpose: 'LINK' });
    await expect(linkWallet(ctx, { address, signature })).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' });
  });

  test('once more: nothing happens', async () => {
    const account = await makeAccount(services);
    const key = newKey();
    await linkWallet(account.ctx, await forLinking(key));
    expect((await linkWallet(account.ctx, await forLinking(key))).merged).toBe(false);
    expect((await actionsOf(account)).filter((action) => action === 'WALLET_LINKED')).toHaveLength(1);
  });

  test('a second wallet', async () => {
    const { ctx } = await makeAccount(services);
    const first = newKey();
    await linkWallet(ctx, await forLinking(first));
    await expect(linkWallet(ctx, await forLinking())).rejects.toMatchObject({ code: 'WALLET_ALREADY_LINKED' });
    // An account that is opened by another wallet neither.
    const other = newKey();
    const { user } = await signInWithKey(newClient(services), other);
    const taken = linkWallet(asSession(services, user), await forLinking(first));
    await expect(taken).rejects.toMatchObject({ code: 'WALLET_ALREADY_LINKED' });
  });

  test.each(['USER', 'ADMIN'] as const)('a wallet of an account with an e-mail address (%s)', async (role) => {
    const key = newKey();
    const holder = await makeAccount(services, { role, credits: 5n });
    await linkWallet(holder.ctx, await forLinking(key));
    const { ctx } = await makeAccount(services);
    await expect(linkWallet(ctx, await forLinking(key))).rejects.toMatchObject({ code: 'WALLET_TAKEN' });
    expect((await signInWithKey(newClient(services), key)).user).toMatchObject({ id: holder.user.id, role });
  });

  test('with a suspended account on either side: credit does not come free by moving', async () => {
    const key = newKey();
    const { user } = await signInWithKey(newClient(services), key);
    await services.db.query(SUSPEND, [user.id]);
    const { ctx } = await makeAccount(services);
    await expect(linkWallet(ctx, await forLinking(key))).rejects.toMatchObject({ code: 'ACCOUNT_SUSPENDED' });
    const suspended = await makeAccount(services);
    await services.db.query(SUSPEND, [suspended.user.id]);
    const refused = linkWallet(suspended.ctx, await forLinking());
    await expect(refused).rejects.toMatchObject({ code: 'ACCOUNT_SUSPENDED' });
  });
});

describe('unlinking', () => {
  test('the wallet signs in there no more: the next time it makes an account of its own', async () => {
    const account = await makeAccount(services);
    const key = newKey();
    await linkWallet(account.ctx, await forLinking(key));
    expect((await unlinkWallet(account.ctx, {})).user.walletAddress).toBeNull();
    expect((await signInWithKey(newClient(services), key)).user.id).not.toBe(account.user.id);
    expect(await actionsOf(account)).toContain('WALLET_UNLINKED');
    await expect(unlinkWallet(account.ctx, {})).rejects.toMatchObject({ code: 'NO_WALLET' });
  });

  test('only if it is the one that is named', async () => {
    const { ctx } = await makeAccount(services);
    const key = newKey();
    await linkWallet(ctx, await forLinking(key));
    await expect(unlinkWallet(ctx, { address: newKey().address })).rejects.toMatchObject({ code: 'NO_WALLET' });
    await expect(unlinkWallet(ctx, { address: '0x1' })).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'address' });
    expect((await unlinkWallet(ctx, { address: key.address })).user.walletAddress).toBeNull();
  });

  test('not when nobody could sign in without it', async () => {
    const { user } = await signInWithKey(newClient(services), newKey());
    const refused = unlinkWallet(asSession(services, user), {});
    await expect(refused).rejects.toMatchObject({ code: 'LAST_CREDENTIAL' });
  });
});

describe('the owner is told by mail', () => {
  const MAILS = sql('testWalletMails', 'select kind::text as kind, recipient, address from mail_queue order by id');
  const linkingAgain = async (key: ReturnType<typeof newKey>) =>
    signChallenge(newClient(services), key, { purpose: 'LINK' });

  test('once for each link and unlink, also when an API key does it, and the job is woken after the commit', async () => {
    const account = await makeAccount(services);
    const woken: number[] = [];
    const mails = async () => services.db.query<{ kind: string }>(MAILS);
    const before = (await mails()).length;
    const ctx = {
      ...account.ctx,
      ...{ viewer: viewerOf(account.user, account.apiKey), clientAddress: '2001:db8::7' },
      wakeMail: () => void woken.push(1),
    };
    const key = newKey();
    await linkWallet(ctx, await forLinking(key));
    await linkWallet(ctx, await linkingAgain(key).then(({ message: _message, ...proof }) => proof));
    await unlinkWallet(ctx, {});
    await expect(unlinkWallet(ctx, {})).rejects.toMatchObject({ code: 'NO_WALLET' });
    const to = { recipient: account.user.email, address: '2001:db8::7' };
    expect((await mails()).slice(before)).toEqual([
      { kind: 'WALLET_LINKED', ...to },
      { kind: 'WALLET_UNLINKED', ...to },
    ]);
    expect(woken.length).toBeGreaterThanOrEqual(2);
    const mailer = keepMails();
    await sendDue(services, mailer);
    const subjects = mailer.sent.filter((mail) => mail.to === account.user.email).map(({ subject }) => subject);
    expect(subjects.toSorted()).toEqual([
      'A wallet was linked to your account',
      'The wallet of your account was unlinked',
    ]);
  });

  test('unless the account has no address', async () => {
    const key = newKey();
    const { user } = await signInWithKey(newClient(services), key);
    const before = await services.db.query(MAILS);
    await linkWallet(asSession(services, user), await forLinking(key));
    expect(await services.db.query(MAILS)).toEqual(before);
  });
});
