import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
import { endWithCredential, Subscription } from '../subscription.ts';
import type { UsageStreamEvent } from './stream.ts';
import { UsageStream } from './streamReader.ts';
import { isMerged, readKeyLeft, readPosition, readSnapshot } from './streamSql.ts';

/** Arguments of `subscription usage`. */
export interface UsageArguments {
  readonly apiKeyId: bigint | null;
  /** Last number that the client has; absent: it starts with a snapshot. */
  readonly after?: string | null | undefined;
}

const CURSOR = /^(0|[1-9]\d{0,18})$/;

/**
 * Opens the numbered usage stream of the viewer's account, narrowed to one key when it is named or when
 * the viewer is a key.
 * @throws AppError NOT_FOUND for an unknown or foreign key, BAD_CURSOR, TOO_MANY_SUBSCRIPTIONS
 */
export async function subscribeUsage(ctx: ViewerContext, input: UsageArguments): Promise<UsageSubscription> {
  const { db, live, viewer } = ctx;
  const accountId = viewer.userId;
  const after = input.after ?? undefined;
  if (after !== undefined && !CURSOR.test(after)) throw new AppError('BAD_CURSOR', { field: 'after' });
  await requireOwnKey(db, input.apiKeyId, accountId);
  const keyId = input.apiKeyId ?? viewer.keyId;
  const dismiss = live.admit(accountId);
  const stream = new UsageStream(
    {
      keyId,
      follow: (onAdvance) => live.follow(accountId, onAdvance),
      snapshot: () => readSnapshot(db, accountId, keyId),
      position: () => readPosition(db, accountId),
      isOver: () => isMerged(db, accountId),
      keyLeft: async () => (keyId === null ? null : readKeyLeft(db, keyId)),
    },
    after === undefined ? undefined : BigInt(after),
  );
  try {
    await stream.begin();
  } catch (error) {
    dismiss();
    throw error;
  }
  return endWithCredential(ctx, new UsageSubscription(stream, dismiss), {
    // The stream of an account that was merged into another ends by itself, after its last event.
    moved: () => undefined,
  });
}

/** A usage stream; a transport that executes events once for many subscribers takes `stream` for itself. */
export class UsageSubscription extends Subscription<UsageStreamEvent, UsageStream> {}
