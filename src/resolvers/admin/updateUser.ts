import type { User } from '../../../prisma/generated/client/client.ts';
import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { Plan } from '../accounts/plans.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockUser } from './lockUser.ts';
import { requireOtherAdmin } from './requireOtherAdmin.ts';

/** Additional rights there are. */
export const PERMISSIONS = ['app.testnet'] as const;

const UPDATE = sql('userUpdateRights', 'update users set role = $2::role, permissions = $3, plan = $4 where id = $1');

/** Absent and null leave alone. */
export interface UserChanges {
  readonly role?: User['role'] | null | undefined;
  readonly permissions?: readonly string[] | null | undefined;
  readonly plan?: Plan | null | undefined;
}

/**
 * Changes role, permissions and plan of a user; every credential obeys at once. For the operator.
 * @throws AppError FORBIDDEN when that would leave no administrator, or takes the role from the operator who asks;
 *   BAD_INPUT for a permission that does not exist; NOT_FOUND
 */
export async function updateUser(ctx: ViewerContext, userId: bigint, changes: UserChanges): Promise<{ user: UserRow }> {
  const permissions = known(changes.permissions);
  if (changes.role === 'USER' && userId === ctx.viewer.userId)
    throw new AppError('FORBIDDEN', { message: 'Nobody gives up the own role; another administrator can take it.' });
  return transaction(ctx, async (tx, publish) => {
    if (changes.role === 'USER') await requireOtherAdmin(tx, userId);
    const before = await lockUser(tx, userId);
    const role = changes.role ?? before.role;
    const plan = changes.plan ?? before.plan;
    const rights = permissions ?? before.permissions;
    const detail = {
      ...(role !== before.role && { role }),
      ...(plan !== before.plan && { plan }),
      ...(rights.join() !== before.permissions.join() && { permissions: rights }),
    };
    if (Object.keys(detail).length === 0) return { user: before };
    await tx.query(UPDATE, [userId, role, rights, plan]);
    await audit(tx, ctx, { accountId: userId, action: 'ACCOUNT_UPDATED', detail });
    publish('credentialsChanged', { accountId: userId, keyId: null, sessionId: null, revoked: false, lookups: [] });
    return { user: await loadUser(tx, userId) };
  });
}

/** Each once, in the order in which they are listed. */
function known(permissions: readonly string[] | null | undefined): string[] | undefined {
  if (permissions === null || permissions === undefined) return undefined;
  const unknown = permissions.find((permission) => !PERMISSIONS.some((one) => one === permission));
  if (unknown !== undefined) {
    const message = `permissions: there are ${PERMISSIONS.join(', ')}`;
    throw new AppError('BAD_INPUT', { message, field: 'permissions' });
  }
  return PERMISSIONS.filter((permission) => permissions.includes(permission));
}
