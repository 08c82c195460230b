import { afterAll, beforeAll, expect, test } from 'vitest';

import { AppError } from '../../../src/errors.ts';
import { createKeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { attempt } from '../../../src/resolvers/auth/attempt.ts';
import { createAuthenticator } from '../../../src/resolvers/auth/authenticate.ts';
import { requestPasswordReset } from '../../../src/resolvers/auth/requestPasswordReset.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { signUp } from '../../../src/resolvers/auth/signUp.ts';
import { MAX_FAILED_SIGN_INS, MAX_MAILS_OF_CLIENT } from '../../../src/throttle.ts';
import { contextOf, makeAccount, openTestServices, PASSWORD, type TestServices } from '../../harness/context.ts';
import { outcome, tally } from './office.ts';

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

let looked = 0;
/** An attempt at one of many e-mail addresses; what comes of it is said beforehand, after a turn of the event loop. */
const tryOut = (client: string, subject: string, result: 'right' | 'wrong' | AppError = 'wrong'): Promise<string> => {
  const prove = async (): Promise<true | undefined> => {
    looked += 1;
    await new Promise(setImmediate);
    if (result instanceof AppError) throw result;
    return result === 'right' ? true : undefined;
  };
  return outcome(attempt(contextOf(services, null, client), subject, { prove, refusal: 'INVALID_CREDENTIALS' }));
};
const each = (count: number, act: (index: number) => Promise<string>): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => act(index)));

test('of many attempts of one client at once, at as many addresses, no more are looked at than may fail', async () => {
  const { user, secret } = await makeAccount(services);
  const client = '198.51.100.1';
  const login = (from: string): Promise<string> =>
    outcome(signIn(contextOf(services, null, from), { email: user.email ?? '', password: PASSWORD, kind: 'LPF' }));
  expect(await login(client)).toBe('OK');
  looked = 0;
  expect(tally(await each(400, (index) => tryOut(client, `person-${index}@example.com`)))).toEqual({
    INVALID_CREDENTIALS: MAX_FAILED_SIGN_INS,
    THROTTLED: 400 - MAX_FAILED_SIGN_INS,
  });
  expect(looked).toBe(MAX_FAILED_SIGN_INS);
  expect(await login(client)).toBe('THROTTLED');
  expect(await login('198.51.100.2')).toBe('OK');
  // API keys are counted by themselves.
  const auth = createAuthenticator(services, { cacheMs: () => 0, activity: createKeyActivity(services) });
  expect(await auth.bearer(secret, client)).toMatchObject({ userId: user.id });
  auth.close();
});

test('one person behind an address who goes on failing keeps nobody else there out', async () => {
  const client = '198.51.100.3';
  for (let times = 0; times < 3 * MAX_FAILED_SIGN_INS; times += 1) await tryOut(client, 'forgetful@example.com');
  expect(await tryOut(client, 'other@example.com', 'right')).toBe('OK');
});

test.each([
  ['what was right', 'right', 'OK'],
  ['a message that was used before', new AppError('INVALID_CHALLENGE'), 'INVALID_CHALLENGE'],
  ['a chain that is away', new AppError('UNAVAILABLE'), 'UNAVAILABLE'],
] as const)('%s is no failure', async (name, result, code) => {
  const client = `198.51.100.${10 + name.length}`;
  for (let round = 0; round < 3; round += 1) {
    const outcomes = await each(MAX_FAILED_SIGN_INS, (index) => tryOut(client, `${name} ${index}`, result));
    expect(tally(outcomes)).toEqual({ [code]: MAX_FAILED_SIGN_INS });
  }
  expect(await tryOut(client, name)).toBe('INVALID_CREDENTIALS');
});

test('addresses of one IPv6 network are one client, also at once', async () => {
  const outcomes = await each(15, (host) => tryOut(`2001:db8:5:6::${host.toString(16)}`, 'person@example.com'));
  expect(outcomes).toEqual([
    ...Array.from({ length: 10 }, () => 'INVALID_CREDENTIALS'),
    ...Array.from({ length: 5 }, () => 'THROTTLED'),
  ]);
  expect(await tryOut('2001:db8:5:7::1', 'person@example.com')).toBe('INVALID_CREDENTIALS');
});

test('one client asks for so many mails, to however many addresses, sign-ups included', async () => {
  const ctx = contextOf(services, null, '198.51.100.90');
  const register = (name: string): Promise<string> =>
    outcome(signUp(ctx, { username: name, email: `${name}@example.com`, password: PASSWORD, language: 'EN' }));
  for (let mail = 1; mail < MAX_MAILS_OF_CLIENT; mail += 1)
    expect(await outcome(requestPasswordReset(ctx, `victim-${mail}@example.com`))).toBe('OK');
  expect(await register('first')).toBe('OK');
  expect(await register('second')).toBe('THROTTLED');
  await expect(requestPasswordReset(ctx, 'another@example.com')).rejects.toMatchObject({
    code: 'THROTTLED',
    retryAfterSeconds: expect.any(Number),
  });
});
