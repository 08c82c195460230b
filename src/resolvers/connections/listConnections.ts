import type { OperationContext } from '../../context.ts';
import { positionOf, type FoundConnections, type OpenConnection } from '../../openConnection.ts';
import { connect, type Connection, type PageArgs } from '../connection.ts';
import { viewedKeys } from './viewedKeys.ts';

/** A page of open connections, with what is known of the whole. */
export type ConnectionPage = Connection<OpenConnection> & Pick<FoundConnections, 'total' | 'complete'>;

/**
 * Open connections of a user's keys on all instances, in the order in which they came. A page may be read while others
 * open and close: none that stays open is left out or shown twice.
 * @param args without `last` and `before`
 * @throws AppError NOT_FOUND for an unknown or foreign key; BAD_INPUT, see `connect`
 */
export async function listConnections(
  { db, connections, viewer }: Pick<OperationContext, 'db' | 'connections' | 'viewer'>,
  userId: bigint,
  { apiKeyId, ...args }: Pick<PageArgs, 'first' | 'after'> & { readonly apiKeyId: bigint | null },
): Promise<ConnectionPage> {
  const keyIds = await viewedKeys(db, userId, apiKeyId);
  let found: FoundConnections = { connections: [], total: 0, complete: true };
  const page = await connect<OpenConnection>(args, positionOf, async ({ after, limit }) => {
    found = await connections.list(viewer?.userId ?? userId, keyIds, { after, size: limit });
    // Its owner wants to see where they go: that is not for the operator.
    return found.connections.map((row) => (viewer?.userId === userId ? row : { ...row, target: null }));
  });
  return { ...page, total: found.total, complete: found.complete };
}
