import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';

const OWNED = sql('apiKeyOwned', 'select 1 as found from api_key_profile where id = $1 and user_id = $2');

/**
 * That a filter names a key of this user; no key is no filter.
 * @throws AppError NOT_FOUND when it is unknown or of another account
 */
export async function requireOwnKey(db: Sql, keyId: bigint | null, userId: bigint): Promise<void> {
  if (keyId === null) return;
  const [row] = await db.query(OWNED, [keyId, userId]);
  if (row === undefined) throw new AppError('NOT_FOUND');
}
