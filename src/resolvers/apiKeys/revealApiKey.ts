import type { ViewerContext } from '../../context.ts';
import { unseal } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { singleStatement } from '../transaction.ts';
import { findApiKey } from './findApiKey.ts';
import { sealContext } from './insertApiKey.ts';

const CURRENT = sql(
  'apiKeyCiphertext',
  'select ciphertext from api_key_secret where key_id = $1 and expires_at is null order by created_at desc limit 1',
);

/**
 * The newest secret of an API key, in clear. It is not shown before it stands on record.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED,
 *   KEY_NOT_RECOVERABLE when the secret is not stored or MASTER_KEY has changed, THROTTLED
 */
export async function revealApiKey(ctx: ViewerContext, id: bigint): Promise<{ secret: string }> {
  const key = await findApiKey(ctx, id);
  if (key.revokedAt !== null) throw new AppError('KEY_IS_REVOKED');
  const accountId = ctx.viewer.userId;
  await requireAllowed(ctx.throttle.reveal(accountId), 'Too many secrets were revealed; wait a while.');
  const [row] = await ctx.db.query<{ ciphertext: Uint8Array | null }>(CURRENT, [id]);
  if (row === undefined || row.ciphertext === null) throw new AppError('KEY_NOT_RECOVERABLE');
  const secret = unsealed(ctx, row.ciphertext, id);
  const detail = { apiKeyId: id.toString() };
  await singleStatement(ctx, (db) => audit(db, ctx, { accountId, action: 'API_KEY_REVEALED', detail }));
  return { secret };
}

function unsealed({ keys }: ViewerContext, ciphertext: Uint8Array, keyId: bigint): string {
  try {
    return unseal(keys.recovery, ciphertext, sealContext(keyId));
  } catch (cause) {
    throw new AppError('KEY_NOT_RECOVERABLE', { cause });
  }
}
