import type { ViewerContext } from '../../context.ts';
import { newApiKeySecret } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockActiveKey, reloadKey } from './findApiKey.ts';
import { giveSecret } from './insertApiKey.ts';
import { requireRoomForSecret } from './requireRoomForSecret.ts';
import type { KeyRow } from './rows.ts';

// The old secrets stay, dead, so that who still uses one is told so, on the key.
const EXPIRE = sql(
  'apiKeySecretsExpire',
  `update api_key_secret set expires_at = clock_timestamp()
   where key_id = $1 and (expires_at is null or expires_at > clock_timestamp())
   returning encode(lookup, 'hex') as lookup`,
);
/**
 * Gives an API key a new secret: same id, limits and history. The old one is dead at once, its
 * connections are closed.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED; THROTTLED
 */
export async function regenerateApiKey(ctx: ViewerContext, id: bigint): Promise<{ apiKey: KeyRow; secret: string }> {
  const { userId } = ctx.viewer;
  await requireRoomForSecret(ctx, id);
  const secret = newApiKeySecret();
  const apiKey = await transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId);
    const dead = await tx.query<{ lookup: string }>(EXPIRE, [id]);
    await giveSecret(tx, ctx.keys, id, secret);
    publish('credentialsChanged', {
      accountId: userId,
      keyId: id,
      sessionId: null,
      revoked: true,
      lookups: dead.map(({ lookup }) => lookup),
    });
    await audit(tx, ctx, { accountId: userId, action: 'API_KEY_REGENERATED', detail: { apiKeyId: id.toString() } });
    return reloadKey(tx, key);
  });
  ctx.closeConnections(id);
  return { apiKey, secret };
}
