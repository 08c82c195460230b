import type { ViewerContext } from '../context.ts';
import { AppError } from '../errors.ts';
import { apiDenial, ENDED_FOR } from '../keyRules.ts';

/** Longest silence of a stream: below the 5 s of the contract by what a busy server may add. */
export const HEARTBEAT_MS = 4_000;

/** Events of one subscriber, who pulls them one at a time. */
export interface LiveStream<Event> {
  /** The next event; waits for it. Undefined once closed. @throws what `close` was given */
  next(): Promise<Event | undefined>;
  /** Ends it; with a failure, the reader is told by a throw. */
  close(failure?: Error): void;
}

/**
 * A stream with what it holds: its place among the account's subscriptions, and the watch that ends it,
 * with CREDENTIAL_REVOKED for one, when its credential dies.
 */
export class Subscription<Event, Stream extends LiveStream<Event> = LiveStream<Event>> implements AsyncGenerator<
  Event,
  void,
  void
> {
  readonly stream: Stream;
  readonly #dismiss: () => void;
  #unwatch: () => void = () => {};
  #released = false;

  constructor(stream: Stream, dismiss: () => void) {
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

  async next(): Promise<IteratorResult<Event, void>> {
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

  async return(): Promise<IteratorResult<Event, void>> {
    this.stream.close();
    this.release();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<Event, void>> {
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

/**
 * Ends a subscription with the error that says why, when the credential it was opened with dies or may no longer.
 * @param moved the account was merged into another
 */
export function endWithCredential<Opened extends Subscription<unknown>>(
  { live, viewer, clientAddress }: ViewerContext,
  subscription: Opened,
  { moved }: { readonly moved: () => void },
): Opened {
  const { stream } = subscription;
  const unwatch = live.watchCredential(
    viewer,
    (cause) => {
      if (cause === 'MOVED') moved();
      else stream.close(new AppError(ENDED_FOR[cause]));
    },
    (rules) => {
      const denied = apiDenial(rules, clientAddress);
      if (denied !== undefined) stream.close(new AppError(denied));
    },
  );
  subscription.endWith(unwatch);
  return subscription;
}
