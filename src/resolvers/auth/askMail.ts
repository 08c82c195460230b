import type { OperationContext } from '../../context.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { queueMail, type NewMail } from './mailQueue.ts';
import { normalizeEmail } from './password.ts';

/**
 * Counts a mail that a client asks for.
 * @param email normalized
 * @throws AppError THROTTLED after 5 within 15 minutes to one address, whether or not anybody has it, and after 20 to
 *   whatever addresses
 */
export function countMail(
  { throttle, clientAddress }: Pick<OperationContext, 'throttle' | 'clientAddress'>,
  email: string,
): Promise<void> {
  return requireAllowed(throttle.askMail(clientAddress, email));
}

/**
 * Has a mail sent to an address, if anybody has it: that is not looked at here, so that neither the answer nor its
 * time tells.
 * @returns the address as it was understood
 * @throws AppError THROTTLED
 */
export async function askMail(
  ctx: OperationContext,
  kind: NewMail['kind'],
  address: string,
): Promise<{ email: string }> {
  const email = normalizeEmail(address);
  await countMail(ctx, email);
  await queueMail(ctx.db, { kind, recipient: email, address: ctx.clientAddress });
  ctx.wakeMail();
  return { email };
}
