import type { ViewerContext } from '../../context.ts';
import { endWithCredential, Subscription } from '../subscription.ts';
import { ConnectionStream, type ConnectionsEvent } from './connectionStream.ts';
import { viewedKeys } from './viewedKeys.ts';

/** Connections that a stream shows: those that came first; `total` tells of the others. */
export const MAX_SHOWN = 500;

/**
 * Follows the open connections of the viewer's account, narrowed to one key when it is named.
 * @throws AppError NOT_FOUND for an unknown or foreign key, TOO_MANY_SUBSCRIPTIONS
 */
export async function subscribeConnections(
  ctx: ViewerContext,
  { apiKeyId }: { readonly apiKeyId: bigint | null },
): Promise<Subscription<ConnectionsEvent>> {
  const { db, live, connections, viewer } = ctx;
  const { userId } = viewer;
  await viewedKeys(db, userId, apiKeyId);
  const dismiss = live.admit(userId);
  const keys = {
    name: `${userId} ${apiKeyId ?? ''}`,
    load: async () => {
      const own = await viewedKeys(db, userId);
      return apiKeyId === null ? own : own.filter((id) => id === apiKeyId);
    },
  };
  let stream: ConnectionStream;
  try {
    stream = new ConnectionStream((onLook) => connections.follow(keys, MAX_SHOWN, onLook));
  } catch (error) {
    dismiss();
    throw error;
  }
  // The keys have gone to another account, of which the credential has to ask anew.
  return endWithCredential(ctx, new Subscription(stream, dismiss), { moved: () => stream.close() });
}
