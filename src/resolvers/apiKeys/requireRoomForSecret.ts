import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { findApiKey } from './findApiKey.ts';

/**
 * That a key may get a new secret now. What is refused anyway is not counted; outside of the transaction, because the
 * counter may be another server.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED, THROTTLED
 */
export async function requireRoomForSecret(ctx: ViewerContext, id: bigint): Promise<void> {
  const key = await findApiKey(ctx, id);
  if (key.revokedAt !== null) throw new AppError('KEY_IS_REVOKED');
  const wait = ctx.throttle.changeSecret(ctx.viewer.userId);
  await requireAllowed(wait, 'Keys of this account got too many new secrets; wait a while.');
}
