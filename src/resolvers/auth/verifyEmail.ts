import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockToken } from './mailTokens.ts';

const VERIFY = sql(
  'userVerifyEmail',
  'update users set email_verified = true where id = $1 and not email_verified returning id',
);

/**
 * Confirms the e-mail address that a token was sent to. The token may come again until it expires, without effect:
 * mail scanners follow links before people do.
 * @throws AppError INVALID_TOKEN when it is unknown, expired or voided by a newer sign-up
 */
export function verifyEmail(ctx: OperationContext, token: string): Promise<{ email: string }> {
  return transaction(ctx, async (tx) => {
    const owner = await lockToken(tx, token, 'VERIFY_EMAIL', ctx.now());
    if (owner === undefined) throw new AppError('INVALID_TOKEN');
    const changed = await tx.query(VERIFY, [owner.userId]);
    if (changed.length > 0) await audit(tx, ctx, { accountId: owner.userId, action: 'EMAIL_VERIFIED' });
    return { email: owner.email };
  });
}
