import type { OperationContext } from '../../context.ts';
import { askMail } from './askMail.ts';

/**
 * Sends a link that resets the password, if there is an account with the address.
 * @throws AppError THROTTLED after 5 mails within 15 minutes
 */
export function requestPasswordReset(ctx: OperationContext, email: string): Promise<{ email: string }> {
  return askMail(ctx, 'RESET_PASSWORD', email);
}
