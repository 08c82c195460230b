import type { OperationContext } from '../../context.ts';
import type { Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { insertAccount, isEmailTaken, isNameTaken, lockNames } from '../accounts/insertAccount.ts';
import { audit, byProof } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { findRegistration, forgetPending, markActivated, type FoundRegistration } from './registrations.ts';

/**
 * Confirms the e-mail address that a token was sent to: the sign-up it was made for, and no other, becomes an account.
 * The token may come again until it expires, without effect: mail scanners follow links before people do.
 * @throws AppError INVALID_TOKEN when it is unknown or expired, or when the address has got another account meanwhile
 */
export function verifyEmail(ctx: OperationContext, token: string): Promise<{ email: string }> {
  return transaction(ctx, async (tx) => {
    const found = await findRegistration(tx, token);
    if (found === undefined) throw new AppError('INVALID_TOKEN');
    await lockNames(tx, found.email, found.username);
    // It may have been activated, or have gone, while this waited.
    const registration = await findRegistration(tx, token);
    if (registration === undefined) throw new AppError('INVALID_TOKEN');
    const { email, userId } = registration;
    if (userId === null) {
      if (await isEmailTaken(tx, email)) throw new AppError('INVALID_TOKEN');
      await activate(ctx, tx, registration);
    }
    return { email };
  });
}

async function activate(ctx: OperationContext, tx: Sql, registration: FoundRegistration): Promise<void> {
  const { email, username, passwordHash, language, address } = registration;
  // A name that the operator gave to somebody meanwhile is no reason to refuse the account.
  const free = (await isNameTaken(tx, username)) ? null : username;
  const accountId = await insertAccount(tx, { email, username: free, passwordHash, role: 'USER', language });
  await markActivated(tx, registration, accountId);
  await forgetPending(tx, email);
  const actor = byProof(ctx);
  await audit(tx, actor, { accountId, action: 'ACCOUNT_CREATED', detail: { by: 'PASSWORD', signedUpFrom: address } });
  await audit(tx, actor, { accountId, action: 'EMAIL_VERIFIED' });
}
