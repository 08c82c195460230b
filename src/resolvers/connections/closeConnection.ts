import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { ConnectionRef } from '../../openConnection.ts';
import { viewedKeys } from './viewedKeys.ts';

/**
 * Ends a connection of the caller's account at once, on whatever instance it is; what it has transferred is billed.
 * @throws AppError NOT_FOUND when it is over, unknown or of another account; UNAVAILABLE when its instance does not
 *   answer in time
 */
export async function closeConnection(ctx: ViewerContext, ref: ConnectionRef): Promise<ConnectionRef> {
  const keyIds = await viewedKeys(ctx.db, ctx.viewer.userId);
  if (!(await ctx.connections.reset(ctx.viewer.userId, keyIds, ref))) throw new AppError('NOT_FOUND');
  return ref;
}
