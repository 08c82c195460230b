import type { OperationContext } from '../../context.ts';
import type { ConnectionRef, OpenConnection } from '../../openConnection.ts';
import { viewedKeys } from './viewedKeys.ts';

/** An open connection of the caller's account; null when it is over, unknown or of another account. */
export async function findConnection(ctx: OperationContext, ref: ConnectionRef): Promise<OpenConnection | null> {
  if (ctx.viewer === null) return null;
  const keyIds = await viewedKeys(ctx.db, ctx.viewer.userId);
  return (await ctx.connections.find(ctx.viewer.userId, keyIds, ref)) ?? null;
}
