import type { ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from './rows.ts';

const OF_USER = sql(
  'apiKeyOfUser',
  `select ${KEY_COLUMNS} from api_key_profile k join api_key m on m.id = k.id where k.id = $1 and k.user_id = $2`,
);

/** Locks the profile: changes of one key wait for each other. */
const OF_USER_LOCKED = sql('apiKeyOfUserLocked', `${OF_USER.text} for no key update of k`);

/**
 * An API key of the caller's account, active or revoked.
 * @throws AppError NOT_FOUND when it is unknown or of another account
 */
export function findApiKey(ctx: ViewerContext, id: bigint): Promise<KeyRow> {
  return first(ctx.db, OF_USER, id, ctx.viewer.userId);
}

/** @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED when it is revoked */
export async function lockActiveKey(tx: Sql, id: bigint, userId: bigint): Promise<KeyRow> {
  const key = await first(tx, OF_USER_LOCKED, id, userId);
  if (key.revokedAt !== null) throw new AppError('KEY_IS_REVOKED');
  return key;
}

/** The key as the running transaction left it. @throws AppError NOT_FOUND */
export function reloadKey(tx: Sql, { id, userId }: Pick<KeyRow, 'id' | 'userId'>): Promise<KeyRow> {
  return first(tx, OF_USER, id, userId);
}

async function first(db: Sql, statement: typeof OF_USER, id: bigint, userId: bigint): Promise<KeyRow> {
  const [row] = await db.query<KeyColumns>(statement, [id, userId]);
  if (row === undefined) throw new AppError('NOT_FOUND');
  return keyOf(row);
}
