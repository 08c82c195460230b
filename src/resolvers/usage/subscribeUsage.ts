import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { apiDenial, ENDED_FOR } from '../../keyRules.ts';
import { requireOwnKey } from '../apiKeys/ownKey.ts';
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
  const subscription = new UsageSubscription(stream, dismiss);
  const unwatch = live.watchCredential(
    viewer,
    (cause) => {
      // The stream of an account that was merged into another ends by itself, after its last event.
      if (cause !== 'MOVED') stream.close(new AppError(ENDED_FOR[cause]));
    },
    (rules) => {
      const denied = apiDenial(rules, ctx.clientAddress);
      if (denied !== undefined) stream.close(new AppError(denied));
    },
  );
  subscription.endWith(unwatch);
  return subscription;
}

/**
 * A usage stream with what it holds: its place among the account's subscriptions, and the watch that
 * ends it, with CREDENTIAL_REVOKED for one, when its credential dies. A transport that executes events once for
 * many subscribers takes `stream` and keeps the rest with the subscriber.
 */
export class UsageSubscription implements AsyncGenerator<UsageStreamEvent, void, void> {
  readonly stream: UsageStream;
  readonly #dismiss: () => void;
  #unwatch: () => void = () => {};
  #released = false;

  constructor(stream: UsageStream, dismiss: () => void) {
    this.stream = stream;
    this.#dismiss = dismiss;
  }

  /** Called once when the subscription ends or its transport watches the credential itself. */
  endWith(unwatch: () => void): void {
    this.#unwatch = unwatch;
  }

  /** The transport ends its streams by itself when the credential dies. */
  unwatch(): void {
    this.#unwatch();
  }

  /** Gives back the place among the account's subscriptions. Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#unwatch();
    this.#dismiss();
  }

  async next(): Promise<IteratorResult<UsageStreamEvent, void>> {
    try {
      const value = await this.stream.next();
      if (value !== undefined) return { done: false, value };
    } catch (error) {
      this.release();
      throw error;
    }
    this.release();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<UsageStreamEvent, void>> {
    this.stream.close();
    this.release();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<UsageStreamEvent, void>> {
    this.stream.close();
    this.release();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
