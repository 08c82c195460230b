import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Services } from '../../../src/context.ts';
import type { Statement } from '../../../src/database/sql.ts';
import { requestPasswordReset } from '../../../src/resolvers/auth/requestPasswordReset.ts';
import { resendVerification } from '../../../src/resolvers/auth/resendVerification.ts';
import { signUp } from '../../../src/resolvers/auth/signUp.ts';
import { verifyEmail } from '../../../src/resolvers/auth/verifyEmail.ts';
import { contextOf, makeAccount, PASSWORD } from '../../harness/context.ts';
import { queued, sendDue } from '../../harness/mailRun.ts';
import { MINUTE_MS, openOffice, outcome, tally, type Office } from './office.ts';

let office: Office;
beforeEach(async () => {
  office = await openOffice();
});
afterEach(() => office[Symbol.asyncDispose]());

describe('confirming an address', () => {
  test('50 posts of one token at once all succeed, with one effect', async () => {
    await office.register('zoe@example.com');
    const token = await office.mailed();
    const posts = Array.from({ length: 50 }, () => verifyEmail(office.client(), token));
    expect(tally(await Promise.all(posts.map(outcome)))).toEqual({ OK: 50 });
    expect(tally(await office.actions())).toEqual({ ACCOUNT_CREATED: 1, EMAIL_VERIFIED: 1 });
  });

  test('works again for 24 hours, and then no more', async () => {
    await office.register('zoe@example.com');
    const token = await office.mailed();
    await office.later(24 * 60 * MINUTE_MS - MINUTE_MS);
    expect(await outcome(verifyEmail(office.client(), token))).toBe('OK');
    expect(await outcome(verifyEmail(office.client(), token))).toBe('OK');
    await office.later(MINUTE_MS);
    expect(await outcome(verifyEmail(office.client(), token))).toBe('INVALID_TOKEN');
  });

  test('an unknown token, and one that resets a password, confirm nothing', async () => {
    await office.register('zoe@example.com');
    await sendDue(office.services, office.mailer);
    const { token } = await office.forgetful();
    expect(await outcome(verifyEmail(office.client(), token))).toBe('INVALID_TOKEN');
    expect(await outcome(verifyEmail(office.client(), 'example'))).toBe('INVALID_TOKEN');
    expect(await outcome(office.login('zoe@example.com'))).toBe('EMAIL_NOT_VERIFIED');
  });
});

describe('asking for a mail', () => {
  /** The same database, and what is asked of it. */
  function counting(): { services: Services; statements: string[] } {
    const statements: string[] = [];
    const query = <Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]> => {
      statements.push(statement.name);
      return office.services.db.query<Row>(statement, values);
    };
    const transaction = (): never => {
      throw new Error('no transaction is expected');
    };
    return { services: { ...office.services, db: { ...office.services.db, query, transaction } }, statements };
  }

  test.each([
    ['resendVerification', resendVerification],
    ['requestPasswordReset', requestPasswordReset],
  ])('%s does and answers the same whether or not the address is known', async (_name, askFor) => {
    const { user } = await makeAccount(office.services);
    await office.register('pending@example.com');
    const answers = [];
    for (const email of [user.email ?? '', 'pending@example.com', 'nobody@example.com']) {
      const { services: counted, statements } = counting();
      const answer = await askFor(contextOf(counted, null), email);
      answers.push(JSON.stringify(answer).replace(email, '<email>'));
      expect(statements).toEqual(['mailQueueInsert']);
    }
    expect(new Set(answers)).toEqual(new Set(['{"email":"<email>"}']));
  });

  test('wakes the job after the mail was queued', async () => {
    const seen: string[][] = [];
    const waking = { ...contextOf(office.services, null), wakeMail: () => void seen.push(['woken']) };
    await requestPasswordReset(waking, 'nobody@example.com');
    await signUp(waking, { username: 'zoe', email: 'zoe@example.com', password: PASSWORD, language: 'EN' });
    expect(seen).toHaveLength(2);
    expect((await queued(office.services)).map(({ kind }) => kind)).toEqual(['RESET_PASSWORD', 'VERIFY_EMAIL']);
  });

  test('is allowed 5 times within 15 minutes, counted alike for known and unknown addresses and for all of them together', async () => {
    const { user } = await makeAccount(office.services);
    for (const email of [user.email ?? '', 'nobody@example.com']) {
      const one = office.client();
      const outcomes = [];
      for (let asked = 0; asked < 4; asked += 1) outcomes.push(await outcome(requestPasswordReset(one, email)));
      outcomes.push(await outcome(resendVerification(one, email.toUpperCase())));
      const input = { username: `name ${email.length}`, email, password: PASSWORD, language: 'EN' } as const;
      outcomes.push(await outcome(signUp(one, input)));
      expect(outcomes).toEqual(['OK', 'OK', 'OK', 'OK', 'OK', 'THROTTLED']);
      await expect(requestPasswordReset(one, email)).rejects.toMatchObject({
        code: 'THROTTLED',
        retryAfterSeconds: expect.any(Number),
      });
      expect(await outcome(requestPasswordReset(office.client(), email))).toBe('OK');
    }
  });
});
