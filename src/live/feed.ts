import type { AccountEvent, FeedPage, FeedReader } from '../events.ts';

/** Events that an account's feed keeps in memory at least; readers further behind read the database. */
const KEPT_EVENTS = 1_024;
/** Events out of order that wait for the ones before them; beyond, they are read from the database. */
const WAITING_EVENTS = 1_024;
/** Events per read. */
export const PAGE_EVENTS = 500;
/** Ticks of one instance may be published in another order than they committed: that settles by itself. */
const REORDER_MS = 25;

/** Reads `usage_event`: up to `PAGE_EVENTS` events after a number, ascending. */
export type LoadEvents = (accountId: bigint, after: bigint) => Promise<readonly AccountEvent[]>;

/**
 * The recent events of one account, without a gap, for all of its streams in this process. What arrives
 * early waits for what is missing, which is read from the database.
 */
export class AccountFeed {
  readonly #accountId: bigint;
  readonly #load: LoadEvents;
  readonly #onError: (error: unknown) => void;
  readonly #followers = new Set<() => void>();
  readonly #waiting = new Map<bigint, AccountEvent>();
  /** Contiguous; the last one has number `#head`. */
  #events: AccountEvent[] = [];
  #head: bigint | undefined;
  #filling = false;
  /** The account is known to have reached this number. */
  #target = 0n;
  #reorder: NodeJS.Timeout | undefined;

  constructor(accountId: bigint, load: LoadEvents, onError: (error: unknown) => void) {
    this.#accountId = accountId;
    this.#load = load;
    this.#onError = onError;
  }

  /** @param onIdle called when the last follower has left */
  follow(onAdvance: () => void, onIdle: () => void): FeedReader {
    const listener = (): void => onAdvance();
    this.#followers.add(listener);
    const head = (): bigint => this.#head ?? 0n;
    return {
      get head() {
        return head();
      },
      start: (seq) => this.reaches(seq, true),
      read: (after) => this.#read(after),
      close: () => {
        if (!this.#followers.delete(listener) || this.#followers.size > 0) return;
        clearTimeout(this.#reorder);
        this.#reorder = undefined;
        onIdle();
      },
    };
  }

  /** Events as they were published, in any order. */
  offer(events: readonly AccountEvent[]): void {
    const before = this.#head;
    for (const event of events) this.#accept(event);
    this.#trim();
    if (this.#head !== before) this.#tell();
    if (this.#waiting.size > 0 && this.#head !== undefined && this.#reorder === undefined) {
      this.#reorder = setTimeout(() => {
        this.#reorder = undefined;
        if (this.#waiting.size > 0) void this.#fill(greatest(this.#waiting.keys()));
      }, REORDER_MS);
    }
  }

  /** The account's number in the database is `seq`. With `initial`, a feed that knows nothing starts there. */
  reaches(seq: bigint, initial = false): void {
    if (this.#head === undefined && initial) {
      this.#head = seq;
      for (const waiting of this.#waiting.keys()) if (waiting <= seq) this.#waiting.delete(waiting);
      this.#drain();
      this.offer([]);
    } else if (this.#head !== undefined && seq > this.#head) {
      void this.#fill(seq);
    }
  }

  #accept(event: AccountEvent): void {
    if (this.#head !== undefined && event.seq <= this.#head) return;
    if (this.#head === undefined || event.seq > this.#head + 1n) {
      if (this.#waiting.size < WAITING_EVENTS) this.#waiting.set(event.seq, event);
      return;
    }
    this.#append(event);
    this.#drain();
  }

  #append(event: AccountEvent): void {
    this.#events.push(event);
    this.#head = event.seq;
    this.#waiting.delete(event.seq);
  }

  #drain(): void {
    if (this.#head === undefined) return;
    for (;;) {
      const next = this.#waiting.get(this.#head + 1n);
      if (next === undefined) return;
      this.#append(next);
    }
  }

  #trim(): void {
    if (this.#events.length > 2 * KEPT_EVENTS) this.#events = this.#events.slice(-KEPT_EVENTS);
  }

  /** Reads what is missing up to `target`. One read at a time; a failed one is tried again by the next poll. */
  async #fill(target: bigint): Promise<void> {
    if (target > this.#target) this.#target = target;
    if (this.#filling) return;
    this.#filling = true;
    try {
      while (this.#head !== undefined && this.#head < this.#target && this.#followers.size > 0) {
        const page = await this.#load(this.#accountId, this.#head);
        this.#skipPruned(page, this.#target);
        this.offer(page);
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#filling = false;
    }
  }

  /** What was pruned meanwhile is gone for everybody: readers behind it are told by `missing`. */
  #skipPruned(page: readonly AccountEvent[], target: bigint): void {
    const first = page[0]?.seq ?? target + 1n;
    if (this.#head === undefined || first <= this.#head + 1n) return;
    this.#events = [];
    this.#head = first - 1n;
    for (const waiting of this.#waiting.keys()) if (waiting < first) this.#waiting.delete(waiting);
    this.#drain();
    this.#tell();
  }

  #read(after: bigint): FeedPage | Promise<FeedPage> {
    const head = this.#head;
    if (head === undefined || after >= head) return EMPTY;
    const start = this.#events.length - Number(head - after);
    if (start < 0) return this.#readDatabase(after);
    return { events: this.#events.slice(start, start + PAGE_EVENTS), missing: false };
  }

  async #readDatabase(after: bigint): Promise<FeedPage> {
    try {
      const events = await this.#load(this.#accountId, after);
      return events[0]?.seq === after + 1n ? { events, missing: false } : { events: [], missing: true };
    } catch (error) {
      this.#onError(error);
      return EMPTY;
    }
  }

  #tell(): void {
    for (const follower of this.#followers) follower();
  }
}

const EMPTY: FeedPage = { events: [], missing: false };

function greatest(numbers: Iterable<bigint>): bigint {
  let most = 0n;
  for (const number of numbers) if (number > most) most = number;
  return most;
}
