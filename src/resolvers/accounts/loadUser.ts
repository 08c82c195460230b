import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from './rows.ts';

const BY_ID = sql('userById', `select ${USER_COLUMNS} from users u join account a on a.id = u.id where u.id = $1`);

/**
 * A user with its account, whoever asks: the caller has checked that.
 * @throws AppError NOT_FOUND
 */
export async function loadUser(db: Sql, id: bigint): Promise<UserRow> {
  const [row] = await db.query<UserColumns>(BY_ID, [id]);
  if (row === undefined) throw new AppError('NOT_FOUND');
  return userOf(row);
}
