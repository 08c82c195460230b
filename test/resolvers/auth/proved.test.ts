import { afterAll, beforeAll, expect, test } from 'vitest';

import type { OperationContext } from '../../../src/context.ts';
import { refreshSession } from '../../../src/resolvers/auth/refreshSession.ts';
import { resetPassword } from '../../../src/resolvers/auth/resetPassword.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { verifyEmail } from '../../../src/resolvers/auth/verifyEmail.ts';
import { makeAccount, PASSWORD, recordsOf, type TestAccount } from '../../harness/context.ts';
import { openOffice, type Office } from './office.ts';

let office: Office;
let bystander: TestAccount;
/** The request of somebody who is signed in to another account, as clients that send their bearer always do. */
const carrying = (): OperationContext => ({ ...office.client(), viewer: bystander.ctx.viewer });
beforeAll(async () => {
  office = await openOffice();
  bystander = await makeAccount(office.services, { role: 'ADMIN' });
});
afterAll(() => office[Symbol.asyncDispose]());

/** Who is on record as having done each action of an account: null is the account itself. */
async function actors(accountId: bigint): Promise<[string, bigint | null][]> {
  return (await recordsOf(office.services, accountId)).map(({ action, actor_id: actor }) => [action, actor]);
}

test('who proves to be the owner of an account acts as it, whatever bearer the request carries', async () => {
  await office.register('carried@example.com');
  await verifyEmail(carrying(), await office.mailed());
  const credentials = { email: 'carried@example.com', password: PASSWORD, kind: 'GRAPHQL' } as const;
  const { user, refreshToken } = await signIn(carrying(), credentials);
  await refreshSession(carrying(), refreshToken ?? '');
  await office.rows(`update session set rotated_at = now() - interval '1 minute' where user_id = $1`, [user.id]);
  await expect(refreshSession(carrying(), refreshToken ?? '')).rejects.toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  const { email, token } = await office.forgetful();
  await resetPassword(carrying(), { token, password: PASSWORD });
  expect(await actors(user.id)).toEqual([
    ['ACCOUNT_CREATED', null],
    ['EMAIL_VERIFIED', null],
    ['SIGNED_IN', null],
    ['REFRESH_TOKEN_REUSED', null],
  ]);
  const [forgetful] = await office.rows<{ id: bigint }>('select id from users where email = $1', [email]);
  expect((await actors(forgetful?.id ?? 0n)).at(-1)).toEqual(['PASSWORD_RESET', null]);
});
