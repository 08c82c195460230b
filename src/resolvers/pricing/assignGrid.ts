import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { lockUser } from '../admin/lockUser.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { gridsById, STANDARD_GRID } from './grids.ts';

const ASSIGN = sql('userAssignGrid', 'update users set grid_id = $2 where id = $1');

/**
 * Gives a user a price grid; for the operator.
 * @param gridId null: the standard one
 * @throws AppError NOT_FOUND when there is no such user or grid
 */
export function assignGrid(ctx: ViewerContext, userId: bigint, gridId: bigint | null): Promise<{ user: UserRow }> {
  return transaction(ctx, async (tx) => {
    const user = await lockUser(tx, userId);
    const [grid] = await gridsById(tx, [gridId ?? STANDARD_GRID]);
    if (grid === undefined || grid instanceof Error) throw grid ?? new Error('no grid');
    if (user.gridId === gridId) return { user };
    await tx.query(ASSIGN, [userId, gridId]);
    await audit(tx, ctx, { accountId: userId, action: 'ACCOUNT_UPDATED', detail: { grid: grid.name } });
    return { user: await loadUser(tx, userId) };
  });
}
