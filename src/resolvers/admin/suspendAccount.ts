import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { status } from '../ledger/status.ts';
import { transaction } from '../transaction.ts';
import { lockUser } from './lockUser.ts';
import { requireOtherAdmin } from './requireOtherAdmin.ts';

const SUSPEND = sql(
  'userSuspend',
  'update users set suspended_at = coalesce(suspended_at, clock_timestamp()), suspended_for = $2 where id = $1',
);

/**
 * Suspends an account: nobody signs in to it, none of its keys and sessions opens anything, its connections and
 * streams end. Once more with another reason only changes the reason. For the operator.
 * @throws AppError FORBIDDEN for the operator's own account and for the only administrator; NOT_FOUND
 */
export async function suspendAccount(ctx: ViewerContext, userId: bigint, reason: string): Promise<{ user: UserRow }> {
  if (userId === ctx.viewer.userId)
    throw new AppError('FORBIDDEN', { message: 'Nobody suspends the own account; another administrator can.' });
  return transaction(ctx, async (tx, publish) => {
    await requireOtherAdmin(tx, userId);
    const user = await lockUser(tx, userId);
    if (user.suspendedFor === reason && user.suspendedAt !== null) return { user };
    await tx.query(SUSPEND, [userId, reason]);
    await audit(tx, ctx, { accountId: userId, action: 'ACCOUNT_SUSPENDED', detail: { reason } });
    if (user.suspendedAt === null) {
      publish('accountEvents', (await status(tx, { accountId: userId }, false)).events);
      publish('leasesChanged', { accountId: userId, keyIds: null });
      const everything = { keyId: null, sessionId: null, lookups: [] };
      publish('credentialsChanged', { accountId: userId, ...everything, revoked: true });
    }
    return { user: await loadUser(tx, userId) };
  });
}
