import type { ViewerContext } from '../../context.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { endWithCredential, Subscription } from '../subscription.ts';
import { RefusalStream, type RefusalEvent } from './stream.ts';

/**
 * Opens the live refusals of the viewer's account, narrowed to one key when it is named or when the viewer is a key.
 * @throws AppError NOT_FOUND for an unknown or foreign key, TOO_MANY_SUBSCRIPTIONS
 */
export async function subscribeRefusals(
  ctx: ViewerContext,
  { apiKeyId }: { readonly apiKeyId: bigint | null },
): Promise<Subscription<RefusalEvent>> {
  const { db, live, viewer } = ctx;
  await requireOwnKey(db, apiKeyId, viewer.userId);
  const dismiss = live.admit(viewer.userId);
  const stream = new RefusalStream(apiKeyId ?? viewer.keyId);
  try {
    stream.fedUntil(await live.followRefusals(viewer.userId, (refusals) => stream.offer(refusals)));
  } catch (error) {
    dismiss();
    throw error;
  }
  // The keys have gone to another account, of which the credential has to ask anew.
  return endWithCredential(ctx, new Subscription(stream, dismiss), { moved: () => stream.close() });
}
