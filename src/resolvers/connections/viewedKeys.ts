import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';

/** Connections of a revoked key end at once: none are looked for. */
const OF_USER = sql('connectionKeysOfUser', 'select id from api_key_profile where user_id = $1 and revoked_at is null');
const ONE = sql('connectionKeyOfUser', 'select revoked_at from api_key_profile where id = $1 and user_id = $2');

/**
 * The keys of a user that may have connections, or the one that is named.
 * @throws AppError NOT_FOUND when that is unknown or of another account
 */
export async function viewedKeys(db: Sql, userId: bigint, keyId: bigint | null = null): Promise<bigint[]> {
  if (keyId === null) return (await db.query<{ id: bigint }>(OF_USER, [userId])).map(({ id }) => id);
  const [key] = await db.query<{ revoked_at: Date | null }>(ONE, [keyId, userId]);
  if (key === undefined) throw new AppError('NOT_FOUND');
  return key.revoked_at === null ? [keyId] : [];
}
