import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';

// One statement for the administrators and the user, in order, as everybody locks users who takes several: two who act
// on each other at once wait, and the second sees what the first did.
const LOCK = sql(
  'usersLockAdmins',
  `select id, role = 'ADMIN' and suspended_at is null as admin from users
   where id = $1 or (role = 'ADMIN' and suspended_at is null) order by id for no key update`,
);

/**
 * That the service keeps an administrator when this user is one no longer; the user is locked. Comes first in a
 * transaction.
 * @throws AppError FORBIDDEN when the user is the only one
 */
export async function requireOtherAdmin(tx: Sql, userId: bigint): Promise<void> {
  const locked = await tx.query<{ id: bigint; admin: boolean }>(LOCK, [userId]);
  const admins = locked.filter(({ admin }) => admin);
  if (admins.length === 1 && admins[0]?.id === userId)
    throw new AppError('FORBIDDEN', { message: 'The service needs an administrator: make another one first.' });
}
