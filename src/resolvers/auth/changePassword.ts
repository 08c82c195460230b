import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import { lockProfile } from '../accounts/lockProfile.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { attempt } from './attempt.ts';
import { endSessions } from './endSessions.ts';
import { queueMail } from './mailQueue.ts';
import { forgetResetTokens } from './mailTokens.ts';
import { hashPassword, verifyPassword } from './password.ts';

const PASSWORD = sql(
  'passwordByUser',
  `select u.email, c.secret from users u
   join credential c on c.user_id = u.id and c.kind = 'PASSWORD' where u.id = $1 and u.email is not null`,
);
// Not when it was changed since the current one was looked at.
const REPLACE = sql(
  'credentialReplacePassword',
  `update credential set secret = $3, updated_at = clock_timestamp()
   where user_id = $1 and kind = 'PASSWORD' and secret = $2 returning user_id`,
);

export interface ChangePasswordInput {
  readonly currentPassword: string;
  /** 8 characters at least; whoever calls has checked that. */
  readonly newPassword: string;
}

/**
 * Gives the caller another password. Every other session of the user ends; API keys work on.
 * @throws AppError WRONG_PASSWORD, which counts as a failed sign-in; NO_PASSWORD for accounts that sign in with a
 *   wallet; THROTTLED after too many failures
 */
export async function changePassword(
  ctx: ViewerContext,
  { currentPassword, newPassword }: ChangePasswordInput,
): Promise<{ user: UserRow }> {
  const { userId, sessionId } = ctx.viewer;
  const [owner] = await ctx.db.query<{ email: string; secret: string }>(PASSWORD, [userId]);
  if (owner === undefined) throw new AppError('NO_PASSWORD');
  const { email, secret } = owner;
  await attempt(ctx, email, {
    prove: async () => ((await verifyPassword(secret, currentPassword)) ? true : undefined),
    refusal: 'WRONG_PASSWORD',
  });
  const passwordHash = await hashPassword(newPassword);
  const user = await transaction(ctx, async (tx, publish) => {
    await lockProfile(tx, userId);
    const changed = await tx.query(REPLACE, [userId, secret, passwordHash]);
    if (changed.length === 0) throw new AppError('WRONG_PASSWORD');
    await forgetResetTokens(tx, userId);
    await endSessions(tx, publish, { userId, except: sessionId });
    await audit(tx, ctx, { accountId: userId, action: 'PASSWORD_CHANGED' });
    await queueMail(tx, { kind: 'PASSWORD_CHANGED', recipient: email, address: ctx.clientAddress });
    return loadUser(tx, userId);
  });
  ctx.wakeMail();
  return { user };
}
