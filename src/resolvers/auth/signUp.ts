import type { User } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { lockNames } from '../accounts/insertAccount.ts';
import { transaction } from '../transaction.ts';
import { countMail } from './askMail.ts';
import { queueMail } from './mailQueue.ts';
import { hashPassword, normalizeEmail } from './password.ts';
import { insertRegistration, isNameReserved } from './registrations.ts';

export interface SignUpInput {
  readonly username: string;
  readonly email: string;
  /** 8 characters at least; whoever calls has checked that. */
  readonly password: string;
  /** Of the mails. */
  readonly language: User['language'];
}

/**
 * Keeps what somebody wants an account with, and sends the link that makes it one. Whether the address has an account
 * is not looked at before the mail is written: the same statements run and the same answer comes for every address.
 * The name is reserved in every case until the link expires.
 * @throws AppError USERNAME_TAKEN, whether or not the address is known; THROTTLED after 5 mails within 15 minutes;
 *   UNAVAILABLE when too many passwords wait to be hashed
 */
export async function signUp(ctx: OperationContext, { password, ...input }: SignUpInput): Promise<{ email: string }> {
  const email = normalizeEmail(input.email);
  const { username, language } = input;
  // Before anything is counted: whoever tries names until one is free gets no mail for those that are not.
  if (await isNameReserved(ctx.db, username, email)) throw new AppError('USERNAME_TAKEN', { field: 'username' });
  await countMail(ctx, email);
  const address = ctx.clientAddress;
  const passwordHash = await hashPassword(password);
  await transaction(ctx, async (tx) => {
    await lockNames(tx, email, username);
    if (await isNameReserved(tx, username, email)) throw new AppError('USERNAME_TAKEN', { field: 'username' });
    const registrationId = await insertRegistration(tx, { email, username, passwordHash, language, address });
    await queueMail(tx, { kind: 'VERIFY_EMAIL', recipient: email, registrationId, address });
  });
  ctx.wakeMail();
  return { email };
}
