import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';

// In order, so that two who act on each other at once wait, and the second sees what the first did.
const LOCK_ADMINS = sql(
  'usersLockAdmins',
  `select id from users where role = 'ADMIN' and suspended_at is null order by id for no key update`,
);

/**
 * That the service keeps an administrator when this user is one no longer. Comes first in a transaction.
 * @throws AppError FORBIDDEN when the user is the only one
 */
export async function requireOtherAdmin(tx: Sql, userId: bigint): Promise<void> {
  const admins = await tx.query<{ id: bigint }>(LOCK_ADMINS);
  if (admins.length === 1 && admins[0]?.id === userId)
    throw new AppError('FORBIDDEN', { message: 'The service needs an administrator: make another one first.' });
}
