import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { changePassword } from '../../../src/resolvers/auth/changePassword.ts';
import { createSession } from '../../../src/resolvers/auth/createSession.ts';
import { requestPasswordReset } from '../../../src/resolvers/auth/requestPasswordReset.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { contextOf, makeAccount, PASSWORD } from '../../harness/context.ts';
import { sendDue } from '../../harness/mailRun.ts';
import { openOffice, OTHER_PASSWORD, outcome, tally, type Office } from './office.ts';

let office: Office;
beforeEach(async () => {
  office = await openOffice();
});
afterEach(() => office[Symbol.asyncDispose]());

describe('changing a password', () => {
  test('keeps the session that does it and ends the others', async () => {
    const { user, ctx } = await makeAccount(office.services);
    for (let count = 0; count < 3; count += 1) await createSession(ctx, user.id, 'GRAPHQL');
    const [mine] = await office.liveSessions();
    const viewer = { ...ctx.viewer, sessionId: mine!.id };
    const input = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    expect(await changePassword({ ...ctx, viewer }, input)).toEqual({ user });
    expect(await office.liveSessions()).toEqual([mine]);
    expect(office.services.published.at(-1)?.event).toMatchObject({ accountId: user.id, sessionsBut: mine!.id });
    expect(await outcome(office.login(user.email ?? ''))).toBe('INVALID_CREDENTIALS');
    expect(await outcome(office.login(user.email ?? '', OTHER_PASSWORD))).toBe('OK');
    await sendDue(office.services, office.mailer);
    expect(office.mailer.sent).toEqual([
      expect.objectContaining({ to: user.email, subject: 'Your password was changed' }),
    ]);
    const [entry] = await office.rows(`select session_id as id from audit_log where action = 'PASSWORD_CHANGED'`);
    expect(entry).toEqual(mine);
  });

  test('voids links that would reset it', async () => {
    const { user, ctx } = await makeAccount(office.services);
    await requestPasswordReset(office.client(), user.email ?? '');
    const token = await office.mailed();
    await changePassword(ctx, { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD });
    expect(await outcome(office.reset(token, PASSWORD))).toBe('INVALID_TOKEN');
  });

  test('with a wrong one counts as a failed sign-in of this client at this address', async () => {
    const { user, ctx } = await makeAccount(office.services);
    const { clientAddress } = office.client();
    const wrong = { currentPassword: 'wrong', newPassword: OTHER_PASSWORD };
    const attempts = Array.from({ length: 10 }, () => outcome(changePassword({ ...ctx, clientAddress }, wrong)));
    expect(tally(await Promise.all(attempts))).toEqual({ WRONG_PASSWORD: 10 });
    const input = { email: user.email ?? '', password: PASSWORD, kind: 'GRAPHQL' } as const;
    expect(await outcome(signIn(contextOf(office.services, null, clientAddress), input))).toBe('THROTTLED');
    const right = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    expect(await outcome(changePassword({ ...ctx, clientAddress }, right))).toBe('THROTTLED');
    expect(await outcome(changePassword(ctx, right))).toBe('OK');
  });

  test('at once from two places happens once', async () => {
    const { ctx } = await makeAccount(office.services);
    const change = (newPassword: string) => outcome(changePassword(ctx, { currentPassword: PASSWORD, newPassword }));
    expect(tally(await Promise.all([change('first password'), change('second password')]))).toEqual({
      OK: 1,
      WRONG_PASSWORD: 1,
    });
  });

  test('an account that signs in with a wallet has none', async () => {
    const { user, ctx } = await makeAccount(office.services);
    await office.rows('delete from credential where user_id = $1', [user.id]);
    const input = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD };
    expect(await outcome(changePassword(ctx, input))).toBe('NO_PASSWORD');
  });
});

test('a suspended account is told so, after the right password alone', async () => {
  const { user } = await makeAccount(office.services);
  await office.rows('update users set suspended_at = now() where id = $1', [user.id]);
  expect(await outcome(office.login(user.email ?? '', 'wrong'))).toBe('INVALID_CREDENTIALS');
  expect(await outcome(office.login(user.email ?? ''))).toBe('ACCOUNT_SUSPENDED');
  expect(await office.liveSessions()).toEqual([]);
  expect(await office.actions()).not.toContain('SIGNED_IN');
});
