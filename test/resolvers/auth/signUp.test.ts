import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { verifyEmail } from '../../../src/resolvers/auth/verifyEmail.ts';
import { makeAccount } from '../../harness/context.ts';
import { sendDue } from '../../harness/mailRun.ts';
import { openOffice, OTHER_PASSWORD, outcome, tally, type Office } from './office.ts';

let office: Office;
beforeEach(async () => {
  office = await openOffice();
});
afterEach(() => office[Symbol.asyncDispose]());

describe('signing up', () => {
  test('makes an account that opens once the link of the mail was followed', async () => {
    expect(await office.register(' Zoe@Example.com ', { username: 'Zoé', language: 'FR' })).toEqual({
      email: 'zoe@example.com',
    });
    expect(await outcome(office.login('zoe@example.com'))).toBe('EMAIL_NOT_VERIFIED');
    expect(await outcome(office.login('zoe@example.com', 'wrong'))).toBe('INVALID_CREDENTIALS');
    const token = await office.mailed();
    expect(office.mailer.sent[0]).toMatchObject({ to: 'zoe@example.com', subject: 'Confirmez votre adresse email' });
    expect(await verifyEmail(office.client(), token)).toEqual({ email: 'zoe@example.com' });
    const { user } = await office.login('zoe@example.com');
    expect(user).toMatchObject({ username: 'Zoé', emailVerified: true, role: 'USER', language: 'FR' });
    expect(user.account.balance).toBe(0n);
    expect(await office.actions()).toEqual(['ACCOUNT_CREATED', 'EMAIL_VERIFIED', 'SIGNED_IN']);
  });

  test('with an address that has an account answers the same, changes nothing, and says so in the mail', async () => {
    const { user } = await makeAccount(office.services);
    const email = user.email ?? '';
    const fresh = await office.register('fresh@example.com');
    const known = await office.register(email, { username: 'someone else', password: OTHER_PASSWORD });
    expect(JSON.stringify(known).replace(email, 'fresh@example.com')).toBe(JSON.stringify(fresh));
    await sendDue(office.services, office.mailer);
    expect(office.mailer.sent.find(({ to }) => to === email)).toMatchObject({
      subject: 'You have an account already',
      link: undefined,
    });
    expect((await office.login(email)).user).toEqual(user);
    expect(await outcome(office.login(email, OTHER_PASSWORD))).toBe('INVALID_CREDENTIALS');
  });

  test('answers new, known and unconfirmed addresses, and names that are taken, no sooner than 250 ms', async () => {
    const { user } = await makeAccount(office.services);
    await office.register('pending@example.com');
    const timed = async (email: string, username: string): Promise<number> => {
      const startedAt = performance.now();
      await outcome(office.register(email, { username }));
      return performance.now() - startedAt;
    };
    for (const [email, username] of [
      ['new@example.com', 'new one'],
      [user.email ?? '', 'new two'],
      ['pending@example.com', 'new three'],
      ['new@example.com', 'new two'],
    ] as const) {
      expect(await timed(email, username), email).toBeGreaterThan(249);
    }
  });

  test('a name of somebody is refused whether or not the address is known', async () => {
    const { user } = await makeAccount(office.services);
    await office.register('one@example.com', { username: 'Taken' });
    const attempts = [user.email ?? '', 'two@example.com', 'three@example.com'];
    for (const email of attempts)
      expect(await outcome(office.register(email, { username: 'tAKEN' }))).toBe('USERNAME_TAKEN');
    expect(await outcome(office.register('one@example.com', { username: 'taken' }))).toBe('OK');
    await verifyEmail(office.client(), await office.mailed());
    expect(await outcome(office.register('one@example.com', { username: 'taken' }))).toBe('USERNAME_TAKEN');
    expect(await office.rows('select 1 from users')).toHaveLength(2);
  });

  test('again before the address was confirmed replaces name and password, and voids the first link', async () => {
    await office.register('zoe@example.com', { username: 'squatter', password: 'planted password' });
    const first = await office.mailed();
    await office.register('zoe@example.com', { username: 'zoe', language: 'FR' });
    expect(await outcome(verifyEmail(office.client(), first))).toBe('INVALID_TOKEN');
    expect(await outcome(office.login('zoe@example.com', 'planted password'))).toBe('INVALID_CREDENTIALS');
    await verifyEmail(office.client(), await office.mailed());
    expect(await outcome(office.login('zoe@example.com', 'planted password'))).toBe('INVALID_CREDENTIALS');
    expect((await office.login('zoe@example.com')).user).toMatchObject({ username: 'zoe', language: 'FR' });
    expect(await outcome(office.register('squatted@example.com', { username: 'squatter' }))).toBe('OK');
  });

  test('at once with one address or one name makes one account', async () => {
    const many = Array.from({ length: 10 }, (_, index) => index);
    await Promise.all(many.map((index) => office.register('zoe@example.com', { username: `zoe ${index}` })));
    expect(await office.rows('select 1 from users')).toHaveLength(1);
    const outcomes = await Promise.all(
      many.map((index) => outcome(office.register(`person${index}@example.com`, { username: 'The One' }))),
    );
    expect(tally(outcomes)).toEqual({ OK: 1, USERNAME_TAKEN: 9 });
    expect(await office.rows('select 1 from users')).toHaveLength(2);
    expect(await office.rows('select 1 from account')).toHaveLength(2);
  });
});
