import type { OperationContext } from '../../context.ts';
import { askMail } from './askMail.ts';

/**
 * Sends the link that confirms an address again, if there is an account to confirm.
 * @throws AppError THROTTLED after 5 mails within 15 minutes
 */
export function resendVerification(ctx: OperationContext, email: string): Promise<{ email: string }> {
  return askMail(ctx, 'VERIFY_EMAIL', email);
}
