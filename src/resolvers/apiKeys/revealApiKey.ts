import type { ViewerContext } from '../../context.ts';
import { unseal } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { findApiKey } from './findApiKey.ts';
import { sealContext } from './insertApiKey.ts';

const CURRENT = sql(
  'apiKeyCiphertext',
  'select ciphertext from api_key_secret where key_id = $1 and expires_at is null order by created_at desc limit 1',
);

/**
 * The secret of an API key, in clear.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED,
 *   KEY_NOT_RECOVERABLE when the secret is not stored or MASTER_KEY has changed
 */
export async function revealApiKey(ctx: ViewerContext, id: bigint): Promise<{ secret: string }> {
  const key = await findApiKey(ctx, id);
  if (key.revokedAt !== null) throw new AppError('KEY_IS_REVOKED');
  const [row] = await ctx.db.query<{ ciphertext: Uint8Array | null }>(CURRENT, [id]);
  if (row === undefined || row.ciphertext === null) throw new AppError('KEY_NOT_RECOVERABLE');
  ctx.log.info({ event: 'apiKeyRevealed', keyId: id.toString(), from: ctx.clientAddress }, 'an API key was revealed');
  try {
    return { secret: unseal(ctx.keys.recovery, row.ciphertext, sealContext(id)) };
  } catch (cause) {
    throw new AppError('KEY_NOT_RECOVERABLE', { cause });
  }
}
