import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Services } from '../../../src/context.ts';
import { changePassword } from '../../../src/resolvers/auth/changePassword.ts';
import { requestPasswordReset } from '../../../src/resolvers/auth/requestPasswordReset.ts';
import { resetPassword } from '../../../src/resolvers/auth/resetPassword.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { makeAccount, PASSWORD } from '../../harness/context.ts';
import { sendDue } from '../../harness/mailRun.ts';
import { MINUTE_MS, openOffice, OTHER_PASSWORD, outcome, tally, type Office } from './office.ts';

let office: Office;
beforeEach(async () => {
  office = await openOffice();
});
afterEach(() => office[Symbol.asyncDispose]());

/** The same database; `before` is told the name of every statement of a transaction, and may hold it up. */
function watched(db: Services['db'], before: (name: string) => Promise<void>): Services['db'] {
  return {
    ...db,
    transaction: (work) =>
      db.transaction((tx) =>
        work({
          query: async (statement, values) => {
            await before(statement.name);
            return tx.query(statement, values);
          },
        }),
      ),
  };
}

describe('resetting a password', () => {
  test('50 posts of one token at once: exactly one succeeds', async () => {
    const { email, token } = await office.forgetful();
    const passwords = Array.from({ length: 50 }, (_, index) => `new password ${index}`);
    const outcomes = await Promise.all(passwords.map((password) => outcome(office.reset(token, password))));
    expect(tally(outcomes)).toEqual({ OK: 1, INVALID_TOKEN: 49 });
    expect(await outcome(office.login(email))).toBe('INVALID_CREDENTIALS');
    expect(await outcome(office.login(email, passwords[outcomes.indexOf('OK')]))).toBe('OK');
    expect(tally(await office.actions())).toMatchObject({ PASSWORD_RESET_REQUESTED: 1, PASSWORD_RESET: 1 });
  });

  test('two tokens of one user at once: exactly one succeeds', async () => {
    const { email, token } = await office.forgetful();
    await requestPasswordReset(office.client(), email);
    const second = await office.mailed();
    const outcomes = await Promise.all([token, second].map((one) => outcome(office.reset(one))));
    expect(tally(outcomes)).toEqual({ OK: 1, INVALID_TOKEN: 1 });
  });

  test('ends every session and no API key, is told by mail, and forgives earlier failures', async () => {
    const { email, token } = await office.forgetful();
    const guessing = office.client();
    const guess = () => outcome(signIn(guessing, { email, password: 'guess', kind: 'GRAPHQL' }));
    for (let guesses = 0; guesses < 10; guesses += 1) await guess();
    expect(await guess()).toBe('THROTTLED');
    office.services.published.length = 0;
    expect(await resetPassword(guessing, { token, password: OTHER_PASSWORD })).toEqual({ email });
    expect(await office.liveSessions()).toEqual([]);
    expect(await office.rows('select 1 from api_key_profile where revoked_at is null')).toHaveLength(1);
    expect(office.services.published).toEqual([
      {
        name: 'credentialsChanged',
        event: expect.objectContaining({ keyId: null, sessionId: null, sessionsBut: null, revoked: true, lookups: [] }),
      },
    ]);
    await sendDue(office.services, office.mailer);
    expect(office.mailer.sent.at(-1)).toMatchObject({
      to: email,
      subject: 'Your password was changed',
      link: undefined,
    });
    expect(await outcome(signIn(guessing, { email, password: OTHER_PASSWORD, kind: 'LPF' }))).toBe('OK');
  });

  test('works for an hour, and not with a token that confirms an address', async () => {
    const { token } = await office.forgetful();
    await office.register('zoe@example.com');
    expect(await outcome(office.reset(await office.mailed()))).toBe('INVALID_TOKEN');
    await office.later(60 * MINUTE_MS);
    expect(await outcome(office.reset(token))).toBe('INVALID_TOKEN');
    await office.later(-MINUTE_MS);
    expect(await outcome(office.reset(token))).toBe('OK');
  });

  test('opens no account for an address that was never confirmed', async () => {
    await office.register('zoe@example.com');
    await sendDue(office.services, office.mailer);
    await requestPasswordReset(office.client(), 'zoe@example.com');
    await sendDue(office.services, office.mailer);
    expect(office.mailer.sent.map(({ subject }) => subject)).toEqual(['Confirm your e-mail address']);
  });

  test('while it is being changed: exactly one succeeds, whose password it is then', async () => {
    const { user, ctx } = await makeAccount(office.services);
    const email = user.email ?? '';
    await requestPasswordReset(office.client(), email);
    const token = await office.mailed();
    const { db } = office.services;
    // The reset stands still where it has found its token, until the change waits for it, or has happened.
    let [reach, goOn] = [(): void => {}, (): void => {}];
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    const resetting = watched(db, async (name) => {
      if (name !== 'resetTokensForget') return;
      reach();
      await mayGoOn;
    });
    const changing = watched(db, async (name) => {
      if (name === 'userLock') goOn();
    });
    const reset = outcome(resetPassword({ ...office.client(), db: resetting }, { token, password: 'reset password' }));
    await reached;
    const input = { currentPassword: PASSWORD, newPassword: 'changed password' };
    // The embedded database runs one transaction at a time: nothing comes between.
    if (db.kind === 'embedded') goOn();
    const change = outcome(changePassword({ ...ctx, db: changing }, input)).finally(() => goOn());
    expect(await Promise.all([change, reset])).toEqual(['WRONG_PASSWORD', 'OK']);
    expect(await outcome(office.login(email, 'reset password'))).toBe('OK');
  });

  test('an old password that was right a moment before opens no session after', async () => {
    const { email, token } = await office.forgetful();
    const attempts = Array.from({ length: 8 }, () => outcome(office.login(email)));
    await office.reset(token);
    await Promise.all(attempts);
    expect(await office.liveSessions()).toEqual([]);
  });

  test('a token used up does not count as a failed sign-in', async () => {
    const { email, token } = await office.forgetful();
    const one = office.client();
    await resetPassword(one, { token, password: OTHER_PASSWORD });
    for (let replays = 0; replays < 20; replays += 1) {
      expect(await outcome(resetPassword(one, { token, password: PASSWORD }))).toBe('INVALID_TOKEN');
    }
    expect(await outcome(signIn(one, { email, password: OTHER_PASSWORD, kind: 'GRAPHQL' }))).toBe('OK');
  });
});
