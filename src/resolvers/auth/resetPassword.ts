import type { OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { lockProfile } from '../accounts/lockProfile.ts';
import { audit, byProof } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { endSessions } from './endSessions.ts';
import { queueMail } from './mailQueue.ts';
import { findResetOwner, takeResetToken } from './mailTokens.ts';
import { hashPassword } from './password.ts';
import { setPassword } from './setPassword.ts';

export interface ResetPasswordInput {
  readonly token: string;
  /** 8 characters at least; whoever calls has checked that. */
  readonly password: string;
}

/**
 * Sets a new password with a token from a mail, once. Every session of the user ends; API keys work on.
 * @throws AppError INVALID_TOKEN when it is unknown, used or expired; UNAVAILABLE when too many passwords wait to be
 *   hashed
 */
export async function resetPassword(
  ctx: OperationContext,
  { token, password }: ResetPasswordInput,
): Promise<{ email: string }> {
  const owner = await findResetOwner(ctx.db, token);
  if (owner === undefined) throw new AppError('INVALID_TOKEN');
  const { userId: accountId, email } = owner;
  const passwordHash = await hashPassword(password);
  await transaction(ctx, async (tx, publish) => {
    await lockProfile(tx, accountId);
    if (!(await takeResetToken(tx, accountId, token))) throw new AppError('INVALID_TOKEN');
    await setPassword(tx, accountId, passwordHash);
    await endSessions(tx, publish, { userId: accountId, except: null });
    await audit(tx, byProof(ctx), { accountId, action: 'PASSWORD_RESET' });
    await queueMail(tx, { kind: 'PASSWORD_CHANGED', recipient: email, address: ctx.clientAddress });
  });
  // The failures were with a password that no longer is.
  await ctx.throttle.succeeded(ctx.clientAddress, email);
  ctx.wakeMail();
  return { email };
}
