import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createAccount } from '../../../src/resolvers/accounts/createAccount.ts';
import { MAX_PENDING } from '../../../src/resolvers/auth/registrations.ts';
import { verifyEmail } from '../../../src/resolvers/auth/verifyEmail.ts';
import { asSession, makeAccount, PASSWORD } from '../../harness/context.ts';
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
    expect(await outcome(office.login(email, OTHER_PASSWORD))).toBe('EMAIL_NOT_VERIFIED');
    expect(await office.rows('select 1 from users')).toHaveLength(1);
    expect(await office.rows('select 1 from mail_token')).toHaveLength(1);
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
    // Names that are taken count for nothing: more of them than the mails an address gets.
    for (let tries = 0; tries < 10; tries += 1)
      expect(await outcome(office.register('picky@example.com', { username: 'taken' }))).toBe('USERNAME_TAKEN');
    expect(await outcome(office.register('picky@example.com', { username: 'free at last' }))).toBe('OK');
    expect(await office.rows('select 1 from users')).toHaveLength(2);
  });

  test('each link activates its own sign-up, whoever came last, and voids the others', async () => {
    const planted = 'planted password';
    for (const attackerIsLast of [true, false]) {
      const email = attackerIsLast ? 'zoe@example.com' : 'yan@example.com';
      const victim = () => office.register(email, { username: `victim of ${email}`, language: 'FR' });
      const attacker = () => office.register(email, { username: `squatter of ${email}`, password: planted });
      await (attackerIsLast ? victim() : attacker());
      const first = await office.mailed();
      await (attackerIsLast ? attacker() : victim());
      const second = await office.mailed();
      await verifyEmail(office.client(), attackerIsLast ? first : second);
      expect((await office.login(email)).user).toMatchObject({ username: `victim of ${email}`, language: 'FR' });
      expect(await outcome(office.login(email, planted))).toBe('INVALID_CREDENTIALS');
      expect(await outcome(verifyEmail(office.client(), attackerIsLast ? second : first))).toBe('INVALID_TOKEN');
      expect(await outcome(office.register(`other.${email}`, { username: `squatter of ${email}` }))).toBe('OK');
      await office.mailed();
    }
    expect(tally(await office.actions())).toEqual({ ACCOUNT_CREATED: 2, EMAIL_VERIFIED: 2, SIGNED_IN: 2 });
  });

  test('two links of one address at once: one account, of the sign-up whose link was first', async () => {
    await office.register('zoe@example.com', { username: 'first' });
    const first = await office.mailed();
    await office.register('zoe@example.com', { username: 'second', password: OTHER_PASSWORD });
    const second = await office.mailed();
    const posts = Array.from({ length: 20 }, (_, index) => verifyEmail(office.client(), [first, second][index % 2]!));
    const outcomes = await Promise.all(posts.map(outcome));
    expect(tally(outcomes)).toEqual({ OK: 10, INVALID_TOKEN: 10 });
    const password = outcomes[0] === 'OK' ? PASSWORD : OTHER_PASSWORD;
    expect((await office.login('zoe@example.com', password)).user.username).toBe(
      outcomes[0] === 'OK' ? 'first' : 'second',
    );
    expect(tally(await office.actions())).toEqual({ ACCOUNT_CREATED: 1, EMAIL_VERIFIED: 1, SIGNED_IN: 1 });
  });

  test('with one address many times: the last 10 wait, and each had a link of its own', async () => {
    const tokens: string[] = [];
    for (let count = 0; count < MAX_PENDING + 2; count += 1) {
      await office.register('zoe@example.com', { username: `zoe ${count}` });
      tokens.push(await office.mailed());
      await office.rows('delete from mail_queue');
    }
    expect(await office.rows('select 1 from registration')).toHaveLength(MAX_PENDING);
    expect(await outcome(verifyEmail(office.client(), tokens[1]!))).toBe('INVALID_TOKEN');
    expect(await outcome(office.register('yan@example.com', { username: 'zoe 1' }))).toBe('OK');
    expect(await outcome(verifyEmail(office.client(), tokens[2]!))).toBe('OK');
    expect((await office.login('zoe@example.com')).user.username).toBe('zoe 2');
  });

  test('at once with one name reserves it for one address', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        outcome(office.register(`person${index}@example.com`, { username: 'The One' })),
      ),
    );
    expect(tally(outcomes)).toEqual({ OK: 1, USERNAME_TAKEN: 9 });
    expect(await office.rows('select 1 from registration')).toHaveLength(1);
    expect(await office.rows('select 1 from users')).toEqual([]);
  });

  test('keeps neither address nor name from the operator; the link is void, or the account has no name', async () => {
    const { user } = await makeAccount(office.services);
    const operator = asSession(office.services, { ...user, role: 'ADMIN' });
    const create = (email: string, username: string) =>
      createAccount(operator, { email, username, password: OTHER_PASSWORD, role: 'USER' });
    await office.register('zoe@example.com', { username: 'Zoe' });
    const token = await office.mailed();
    expect(await outcome(create('Zoe@example.com', 'zoe'))).toBe('OK');
    expect(await outcome(verifyEmail(office.client(), token))).toBe('INVALID_TOKEN');
    expect(await outcome(office.login('zoe@example.com'))).toBe('INVALID_CREDENTIALS');
    expect(await outcome(office.login('zoe@example.com', OTHER_PASSWORD))).toBe('OK');
    await office.register('yan@example.com', { username: 'Yan' });
    const link = await office.mailed();
    expect(await outcome(create('namesake@example.com', 'yan'))).toBe('OK');
    expect(await outcome(verifyEmail(office.client(), link))).toBe('OK');
    expect((await office.login('yan@example.com')).user).toMatchObject({ username: null, emailVerified: true });
  });
});
