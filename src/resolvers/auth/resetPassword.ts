import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { endSessions } from './endSessions.ts';
import { queueMail } from './mailQueue.ts';
import { findToken, forgetTokens, lockToken } from './mailTokens.ts';
import { hashPassword } from './password.ts';
import { setPassword } from './setPassword.ts';

const VERIFY = sql(
  'userVerifyEmailByReset',
  'update users set email_verified = true where id = $1 and not email_verified returning id',
);

export interface ResetPasswordInput {
  readonly token: string;
  /** 8 characters at least; whoever calls has checked that. */
  readonly password: string;
}

/**
 * Sets a new password with a token from a mail, once. Every session of the user ends; API keys work on. Whoever has
 * the token reads the mailbox: the address is confirmed by it.
 * @throws AppError INVALID_TOKEN when it is unknown, used or expired
 */
export async function resetPassword(
  ctx: OperationContext,
  { token, password }: ResetPasswordInput,
): Promise<{ email: string }> {
  const owner = await findToken(ctx.db, token, 'RESET_PASSWORD', ctx.now());
  if (owner === undefined) throw new AppError('INVALID_TOKEN');
  const { userId: accountId, email } = owner;
  const passwordHash = await hashPassword(password);
  await transaction(ctx, async (tx, publish) => {
    if ((await lockToken(tx, token, 'RESET_PASSWORD', ctx.now())) === undefined) throw new AppError('INVALID_TOKEN');
    // This one and every other: a mail that was asked for earlier opens nothing any more.
    await forgetTokens(tx, accountId, 'RESET_PASSWORD');
    await setPassword(tx, accountId, passwordHash);
    const verified = await tx.query(VERIFY, [accountId]);
    await endSessions(tx, publish, { userId: accountId, except: null });
    if (verified.length > 0) await audit(tx, ctx, { accountId, action: 'EMAIL_VERIFIED' });
    await audit(tx, ctx, { accountId, action: 'PASSWORD_RESET' });
    await queueMail(tx, { kind: 'PASSWORD_CHANGED', recipient: email, address: ctx.clientAddress });
  });
  // The failures were with a password that no longer is.
  await ctx.throttle.succeeded(ctx.clientAddress, email);
  ctx.wakeMail();
  return { email };
}
