import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { limits } from '../ledger/limits.ts';
import { transaction } from '../transaction.ts';
import { limitsOf, limitTexts, newLimits, type LimitInput } from './limitInput.ts';
import { loadUser } from './loadUser.ts';
import type { UserRow } from './rows.ts';

/**
 * Changes limits of the caller's account; open connections obey at once. Nothing happens when they are so already.
 * @throws AppError UNAUTHENTICATED when the account was merged into another while the request was on the way
 */
export function updateLimits(ctx: ViewerContext, input: LimitInput): Promise<{ user: UserRow }> {
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx, publish) => {
    const user = await loadUser(tx, userId);
    const to = newLimits(limitsOf(input), user.account);
    if (Object.keys(to).length === 0) return { user };
    const { outcome, events } = await limits(tx, { accountId: userId }, to);
    if (outcome === 'UNKNOWN') throw new AppError('UNAUTHENTICATED');
    publish('accountEvents', events);
    publish('leasesChanged', { accountId: userId, keyIds: null });
    await audit(tx, ctx, { accountId: userId, action: 'LIMITS_UPDATED', detail: limitTexts(to) });
    return { user: await loadUser(tx, userId) };
  });
}
