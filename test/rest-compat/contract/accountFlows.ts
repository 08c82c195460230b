import { randomBytes } from 'node:crypto';

import { expect } from 'vitest';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { newCustomer } from '../../harness/customer.ts';
import { mailedTokens } from './outbox.ts';
import { documented } from './replay.ts';
import type { Visit } from './suite.ts';

export async function emailAccount({ go, target }: Visit): Promise<void> {
  const name = `camille-${randomBytes(4).toString('hex')}`;
  const [email, password] = [`${name}@example.com`, 'une longue phrase secrète'];
  const register = { body: { username: name, email, password } };
  expect(await go('POST /auth/register', register)).toEqual(documented('POST /auth/register'));
  const [token] = await mailedTokens(target.server.dataDir, email, 1);
  expect(await go('POST /auth/resend-verification', { body: { email } })).toEqual({ success: true });
  const known = await mailedTokens(target.server.dataDir, email, 2);
  const verify = { query: { token } };
  expect(await go('GET /auth/verify-email', verify)).toEqual(documented('GET /auth/verify-email'));

  const { token: session, user } = await go<SignedIn>('POST /auth/login', { body: { email, password } });
  expect(user.email).toBe(email);
  const change = { credential: session, body: { currentPassword: password, newPassword: 'une autre phrase secrète' } };
  expect(await go('POST /auth/change-password', change)).toEqual(documented('POST /auth/change-password'));

  expect(await go('POST /auth/forgot-password', { body: { email } })).toEqual(documented('POST /auth/forgot-password'));
  const mails = await mailedTokens(target.server.dataDir, email, 3);
  const [reset] = mails.filter((one) => !known.includes(one));
  const choose = { body: { token: reset, password: 'une troisième phrase secrète' } };
  expect(await go('POST /auth/reset-password', choose)).toEqual(documented('POST /auth/reset-password'));
  await go('POST /auth/login', { body: { email, password: choose.body.password } });
}

/** What a sign-in answers. */
export interface SignedIn {
  readonly token: string;
  readonly user: { readonly id: number; readonly email: string };
}

export async function wallets({ go, target }: Visit): Promise<void> {
  const signIn = async () => {
    const wallet = privateKeyToAccount(generatePrivateKey());
    const { message, nonce } = await go<{ message: string; nonce: string }>('GET /auth/nonce', {
      query: { address: wallet.address },
    });
    expect(message).toContain('\nConnexion a Le Proxy Francais');
    expect(message).toContain(`\nNonce: ${nonce}\n`);
    return { address: wallet.address, message, signature: await wallet.signMessage({ message }) };
  };
  const wallet = await signIn();
  const { user } = await go<{ user: object }>('POST /auth/wallet', { body: wallet });
  expect(user).toEqual({
    id: expect.any(Number) as number,
    username: `${wallet.address.slice(0, 6).toLowerCase()}...`,
    wallet_address: wallet.address.toLowerCase(),
    auth_type: 'wallet',
  });

  const { key: credential } = await newCustomer(target.server, 0n);
  const { address, signature } = await signIn();
  const linked = await go<{ merged: boolean }>('POST /auth/link-wallet', { credential, body: { address, signature } });
  expect(linked.merged).toBe(false);
  await go('DELETE /auth/unlink-wallet', { credential });
}
