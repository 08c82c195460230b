import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createAuthenticator } from '../../../src/resolvers/auth/authenticate.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { signUp } from '../../../src/resolvers/auth/signUp.ts';
import { createKeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { contextOf, makeAccount, openTestServices, PASSWORD, type TestServices } from '../../harness/context.ts';

let services: TestServices;
const clock = { now: new Date() };
beforeAll(async () => {
  services = await openTestServices(() => clock.now);
});
afterAll(() => services[Symbol.asyncDispose]());

const authenticator = () =>
  createAuthenticator(services, { cacheMs: () => 30_000, activity: createKeyActivity(services) });

test('a session token names user and session, lasts 15 minutes, and is accepted until then', async () => {
  const { user } = await makeAccount(services);
  const email = ` ${user.email?.toUpperCase()} `;
  const signedIn = await signIn(contextOf(services, null), { email, password: PASSWORD, kind: 'GRAPHQL' });
  expect(signedIn.user).toEqual(user);
  expect(decodeProtectedHeader(signedIn.token)).toEqual({ alg: 'HS256', typ: 'JWT' });
  expect(decodeJwt(signedIn.token)).toMatchObject({
    sub: user.id.toString(),
    iss: 'passerelle',
    aud: 'passerelle:api',
  });
  expect(signedIn.expiresAt.getTime() - clock.now.getTime()).toBe(900_000);
  const auth = authenticator();
  const viewer = await auth.bearer(signedIn.token, '127.0.0.1');
  expect(viewer).toMatchObject({ kind: 'SESSION', userId: user.id, role: 'USER', keyId: null });
  expect(viewer.sessionId).toBe(decodeJwt(signedIn.token)['sid']);
  clock.now = new Date(signedIn.expiresAt.getTime() + 1);
  await expect(auth.bearer(signedIn.token, '127.0.0.1')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  clock.now = new Date();
  auth.close();
});

test('the refresh token is not stored; an LPF session has none and lasts 7 days', async () => {
  const { user } = await makeAccount(services);
  const input = { email: user.email ?? '', password: PASSWORD };
  const { refreshToken } = await signIn(contextOf(services, null), { ...input, kind: 'GRAPHQL' });
  expect(refreshToken).toMatch(/^[\w-]{70}$/);
  const text = 'select row_to_json(s)::text as row from session s where user_id = $1';
  const rows = await services.db.query<{ row: string }>({ name: 'testSession', text }, [user.id]);
  expect(rows.map(({ row }) => row.includes(refreshToken ?? '?'))).toEqual([false]);
  const lpf = await signIn(contextOf(services, null), { ...input, kind: 'LPF' });
  expect(lpf.refreshToken).toBeNull();
  expect(lpf.expiresAt.getTime() - clock.now.getTime()).toBe(7 * 86_400_000);
});

test('a revoked session ends at once where the event is heard', async () => {
  const { user } = await makeAccount(services);
  const auth = authenticator();
  const { token } = await signIn(contextOf(services, null), {
    email: user.email ?? '',
    password: PASSWORD,
    kind: 'GRAPHQL',
  });
  const { sessionId } = await auth.bearer(token, '127.0.0.1');
  await services.db.query({ name: 'testRevoke', text: 'update session set revoked_at = now() where id = $1::uuid' }, [
    sessionId,
  ]);
  services.events.publish('credentialsChanged', {
    accountId: user.id,
    keyId: null,
    sessionId,
    revoked: true,
    lookups: [],
  });
  await expect(auth.bearer(token, '127.0.0.1')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  auth.close();
});

test.each([
  ['another algorithm', { alg: 'HS512', iss: 'passerelle', aud: 'passerelle:api' }],
  ['another issuer', { alg: 'HS256', iss: 'other', aud: 'passerelle:api' }],
  ['another audience', { alg: 'HS256', iss: 'passerelle', aud: 'other' }],
])('a token of ours with %s is refused', async (_what, { alg, iss, aud }) => {
  const { user } = await makeAccount(services);
  const session = await signIn(contextOf(services, null), {
    email: user.email ?? '',
    password: PASSWORD,
    kind: 'GRAPHQL',
  });
  const { sid, sub } = decodeJwt(session.token);
  const token = await new SignJWT({ sid })
    .setProtectedHeader({ alg })
    .setSubject(sub ?? '')
    .setIssuer(iss)
    .setAudience(aud)
    .setExpirationTime('1h')
    .sign(Buffer.concat([services.keys.sessions, services.keys.sessions]).subarray(0, alg === 'HS512' ? 64 : 32));
  const auth = authenticator();
  await expect(auth.bearer(token, '127.0.0.1')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  auth.close();
});

test('unknown address and wrong password are the same answer; the 11th attempt is throttled', async () => {
  const { user } = await makeAccount(services);
  const attempt = (email: string, password: string, address = '127.0.0.2'): Promise<unknown> =>
    signIn(contextOf(services, null, address), { email, password, kind: 'GRAPHQL' }).then(
      () => 'signed in',
      ({ code, message }: { code: string; message: string }) => ({ code, message }),
    );
  const email = user.email ?? '';
  const wrong = await attempt(email, 'wrong');
  expect(wrong).toMatchObject({ code: 'INVALID_CREDENTIALS' });
  expect(await attempt('nobody@example.com', 'wrong')).toEqual(wrong);
  for (let failures = 1; failures < 10; failures += 1) expect(await attempt(email, 'wrong')).toEqual(wrong);
  expect(await attempt(email, PASSWORD)).toMatchObject({ code: 'THROTTLED' });
  expect(await attempt(email, PASSWORD, '127.0.0.3')).toBe('signed in');
});

test('an unverified address is told so only after the right password', async () => {
  const email = 'pending@example.com';
  const nobody = contextOf(services, null, '127.0.0.6');
  await signUp(nobody, { username: 'pending', email, password: PASSWORD, language: 'EN' });
  const attempt = (password: string): Promise<unknown> => signIn(nobody, { email, password, kind: 'GRAPHQL' });
  await expect(attempt('wrong')).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
  await expect(attempt(PASSWORD)).rejects.toMatchObject({ code: 'EMAIL_NOT_VERIFIED' });
});

test('the password of a sign-up neither counts as a failure nor clears those at the account of the address', async () => {
  const { user } = await makeAccount(services);
  const email = user.email ?? '';
  const nobody = contextOf(services, null, '127.0.0.7');
  await signUp(nobody, { username: 'planted', email, password: 'planted password', language: 'EN' });
  const attempt = (password: string): Promise<string> =>
    signIn(nobody, { email, password, kind: 'GRAPHQL' }).then(
      () => 'signed in',
      ({ code }: { code: string }) => code,
    );
  for (let failures = 0; failures < 9; failures += 1) expect(await attempt('guess')).toBe('INVALID_CREDENTIALS');
  for (let planted = 0; planted < 12; planted += 1)
    expect(await attempt('planted password')).toBe('EMAIL_NOT_VERIFIED');
  expect(await attempt('guess')).toBe('INVALID_CREDENTIALS');
  expect(await attempt('guess')).toBe('THROTTLED');
});

test('attempts made at once are counted one by one', async () => {
  const { user } = await makeAccount(services);
  const attempts = (password: string): Promise<string[]> =>
    Promise.all(
      Array.from({ length: 12 }, () =>
        signIn(contextOf(services, null, '127.0.0.5'), { email: user.email ?? '', password, kind: 'GRAPHQL' }).then(
          () => 'signed in',
          ({ code }: { code: string }) => code,
        ),
      ),
    );
  expect(await attempts(PASSWORD)).toEqual(Array.from({ length: 12 }, () => 'signed in'));
  expect(await attempts('wrong')).toEqual([
    ...Array.from({ length: 10 }, () => 'INVALID_CREDENTIALS'),
    'THROTTLED',
    'THROTTLED',
  ]);
});
