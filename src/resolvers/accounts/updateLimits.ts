import type { ViewerContext } from '../../context.ts';
import { audit } from '../audit/record.ts';
import { limits } from '../ledger/limits.ts';
import { transaction } from '../transaction.ts';
import { limitsOf, limitTexts, type LimitInput } from './limitInput.ts';
import { loadUser } from './loadUser.ts';
import type { UserRow } from './rows.ts';

/** Changes limits of the caller's account; open connections obey at once. */
export function updateLimits(ctx: ViewerContext, input: LimitInput): Promise<{ user: UserRow }> {
  const { userId } = ctx.viewer;
  const to = limitsOf(input);
  return transaction(ctx, async (tx, publish) => {
    if (Object.keys(to).length > 0) {
      publish('accountEvents', (await limits(tx, { accountId: userId }, to)).events);
      publish('leasesChanged', { accountId: userId, keyIds: null });
      await audit(tx, ctx, { accountId: userId, action: 'LIMITS_UPDATED', detail: limitTexts(input) });
    }
    return { user: await loadUser(tx, userId) };
  });
}
