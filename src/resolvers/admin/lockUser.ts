import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from '../accounts/rows.ts';

/** 2: merged into another account, which is as good as gone. */
const LOCK = sql(
  'userLockForOperator',
  `select ${USER_COLUMNS} from users u join account a on a.id = u.id
   where u.id = $1 and a.status <> 2 for no key update of u`,
);

/**
 * A user whom the operator is about to change; changes of one user wait for each other.
 * @throws AppError NOT_FOUND when there is none, or when the account has been merged into another
 */
export async function lockUser(tx: Sql, userId: bigint): Promise<UserRow> {
  const [row] = await tx.query<UserColumns>(LOCK, [userId]);
  if (row === undefined) throw new AppError('NOT_FOUND');
  return userOf(row);
}
