import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { USER_COLUMNS, userOf, type UserColumns, type UserRow } from './rows.ts';

const BY_IDS = sql(
  'usersById',
  `select ${USER_COLUMNS} from users u join account a on a.id = u.id where u.id = any($1::bigint[])`,
);

/** Users in the order of the ids, whoever asks: the caller has checked that. An error in place of what is not there. */
export async function usersById(db: Sql, ids: readonly bigint[]): Promise<(UserRow | Error)[]> {
  const rows = await db.query<UserColumns>(BY_IDS, [[...new Set(ids)]]);
  const users = new Map(rows.map((row) => [row.user_id, userOf(row)]));
  return ids.map((id) => users.get(id) ?? new AppError('NOT_FOUND'));
}
