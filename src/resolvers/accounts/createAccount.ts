import type { User } from '../../../prisma/generated/client/client.ts';
import type { ViewerContext } from '../../context.ts';
import { formatCredits } from '../../units.ts';
import { audit } from '../audit/record.ts';
import { hashPassword, normalizeEmail } from '../auth/password.ts';
import { forgetPending } from '../auth/registrations.ts';
import { transaction } from '../transaction.ts';
import { giveFirstCredit, insertAccount } from './insertAccount.ts';
import { loadUser } from './loadUser.ts';
import type { UserRow } from './rows.ts';

export interface AccountInput {
  readonly email: string;
  readonly password: string;
  readonly username?: string | null | undefined;
  readonly role: User['role'];
  /** Nano-credits. */
  readonly credits?: bigint | null | undefined;
}

/**
 * Creates an account with a verified e-mail address; for the operator. Sign-ups with the address, which anybody can
 * make, neither keep it nor their name from the account; they are void.
 * @throws AppError EMAIL_TAKEN, USERNAME_TAKEN
 */
export async function createAccount(
  ctx: ViewerContext,
  { email, password, username = null, role, credits }: AccountInput,
): Promise<{ user: UserRow }> {
  const address = normalizeEmail(email);
  const passwordHash = await hashPassword(password);
  return transaction(ctx, async (tx, publish) => {
    const id = await insertAccount(tx, { email: address, username, passwordHash, role });
    await forgetPending(tx, address);
    await giveFirstCredit(tx, publish, id, {
      amount: credits ?? 0n,
      contra: 'ADJUST',
      reason: 'Credit of a new account',
    });
    const detail = { email: address, username, role, credits: formatCredits(credits ?? 0n) };
    await audit(tx, ctx, { accountId: id, action: 'ACCOUNT_CREATED', detail });
    return { user: await loadUser(tx, id) };
  });
}
