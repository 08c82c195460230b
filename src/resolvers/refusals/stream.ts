import type { RefusalCode } from '../../errors.ts';
import type { CountedRefusals } from '../../events.ts';
import type { Product } from '../../units.ts';
import { Sleep } from '../sleep.ts';
import { HEARTBEAT_MS, type LiveStream } from '../subscription.ts';

/** Least time between two events of one stream: five a second, however many are refused. */
const SPACING_MS = 200;

/** Refused and ended connections of one key for one reason since the last event about them. */
export interface RefusalDelta {
  readonly __typename: 'RefusalDelta';
  readonly keyId: bigint;
  readonly code: RefusalCode;
  readonly count: bigint;
  /** When the last one was refused; what follows is also of the last one. */
  readonly at: Date;
  readonly message: string;
  readonly product: Product | null;
  readonly clientAddress: string | null;
}

/** Nothing was refused. */
export interface RefusalHeartbeat {
  readonly __typename: 'RefusalHeartbeat';
  readonly at: Date;
}

export type RefusalEvent = RefusalDelta | RefusalHeartbeat;

/**
 * Refusals for one reader. It is pulled: a reader that is slow, or a storm, gets sums. All it keeps is one
 * sum per key and reason, which the feed bounds; those that wait longest come first.
 */
export class RefusalStream implements LiveStream<RefusalEvent> {
  readonly #keyId: bigint | null;
  readonly #waiting = new Map<string, RefusalDelta>();
  #stop: () => void = () => {};
  readonly #sleep = new Sleep();
  /** By the clock of `performance`: neither a sum nor, at first, a heartbeat has been handed out. */
  #sentAt = Number.NEGATIVE_INFINITY;
  #greeted = false;
  #closed = false;
  #failure: Error | undefined;

  /** @param keyId only refusals of this key; null: of all */
  constructor(keyId: bigint | null) {
    this.#keyId = keyId;
  }

  /** @param stop called when the stream is closed: it takes nothing more */
  fedUntil(stop: () => void): void {
    if (this.#closed) stop();
    else this.#stop = stop;
  }

  offer({ keyId, code, count, at, message, product, clientAddress }: CountedRefusals): void {
    if (this.#closed || (this.#keyId !== null && keyId !== this.#keyId)) return;
    const name = `${keyId} ${code}`;
    const sum = (this.#waiting.get(name)?.count ?? 0n) + count;
    const last = { keyId, code, at, message, product, clientAddress };
    this.#waiting.set(name, { __typename: 'RefusalDelta', ...last, count: sum });
    this.#sleep.wake();
  }

  /** The first event is a heartbeat, at once: everything refused from then on will be told. One call at a time. */
  async next(): Promise<RefusalEvent | undefined> {
    const heartbeatAt = performance.now() + (this.#greeted ? HEARTBEAT_MS : 0);
    this.#greeted = true;
    while (!this.#closed) {
      const now = performance.now();
      const [first] = this.#waiting;
      const dueAt = first === undefined ? heartbeatAt : this.#sentAt + SPACING_MS;
      if (dueAt > now) await this.#sleep.wait(dueAt - now);
      else if (first === undefined) return { __typename: 'RefusalHeartbeat', at: new Date() };
      else {
        this.#waiting.delete(first[0]);
        this.#sentAt = now;
        return first[1];
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  close(failure?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = failure;
    this.#waiting.clear();
    this.#stop();
    this.#sleep.wake();
  }
}
