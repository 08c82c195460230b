import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { status } from '../ledger/status.ts';
import { transaction } from '../transaction.ts';
import { lockUser } from './lockUser.ts';

const RESUME = sql('userResume', 'update users set suspended_at = null, suspended_for = null where id = $1');

/**
 * Ends the suspension of an account: keys and sessions work again. Nothing happens when it is not suspended. For the
 * operator.
 * @throws AppError NOT_FOUND
 */
export function resumeAccount(ctx: ViewerContext, userId: bigint): Promise<{ user: UserRow }> {
  return transaction(ctx, async (tx, publish) => {
    const user = await lockUser(tx, userId);
    if (user.suspendedAt === null) return { user };
    await tx.query(RESUME, [userId]);
    await audit(tx, ctx, { accountId: userId, action: 'ACCOUNT_RESUMED' });
    publish('accountEvents', (await status(tx, { accountId: userId }, true)).events);
    publish('leasesChanged', { accountId: userId, keyIds: null });
    publish('credentialsChanged', { accountId: userId, keyId: null, sessionId: null, revoked: false, lookups: [] });
    return { user: await loadUser(tx, userId) };
  });
}
