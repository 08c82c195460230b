import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { status } from '../ledger/status.ts';
import { transaction } from '../transaction.ts';
import { lockActiveKey, reloadKey } from './findApiKey.ts';
import type { KeyRow } from './rows.ts';

const REVOKE = sql('apiKeyRevoke', 'update api_key_profile set revoked_at = clock_timestamp() where id = $1');

/**
 * Revokes an API key for good: nothing authenticates with it any more, its connections end.
 * @throws AppError NOT_FOUND when it is unknown, of another account or already revoked
 */
export async function revokeApiKey(
  ctx: ViewerContext,
  id: bigint,
): Promise<{ apiKey: KeyRow; connectionsClosed: number }> {
  const { userId } = ctx.viewer;
  const apiKey = await transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId).catch((error: unknown) => {
      throw error instanceof AppError ? new AppError('NOT_FOUND') : error;
    });
    await tx.query(REVOKE, [id]);
    publish('credentialsChanged', { accountId: userId, keyId: id, sessionId: null, revoked: true, lookups: [] });
    publish('accountEvents', (await status(tx, { keyId: id }, false)).events);
    publish('leasesChanged', { accountId: userId, keyIds: [id] });
    const detail = { apiKeyId: id.toString(), name: key.name };
    await audit(tx, ctx, { accountId: userId, action: 'API_KEY_REVOKED', detail });
    return reloadKey(tx, key);
  });
  return { apiKey, connectionsClosed: ctx.closeConnections(id) };
}
