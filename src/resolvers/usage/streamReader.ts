import { AppError } from '../../errors.ts';
import type { FeedPage, FeedReader } from '../../events.ts';
import { Sleep } from '../sleep.ts';
import { HEARTBEAT_MS } from '../subscription.ts';
import type { UsageAdjustment, UsageDelta, UsageSnapshot, UsageStreamEvent } from './stream.ts';
import { take } from './streamEvents.ts';
import type { Position } from './streamSql.ts';

/** What a stream reads, narrowed to its account and key. */
export interface StreamSource {
  /** Only events of this key and of the account itself; null: all. */
  readonly keyId: bigint | null;
  follow(onAdvance: () => void): FeedReader;
  snapshot(): Promise<UsageSnapshot>;
  position(): Promise<Position>;
  /** Whether the account is part of another: its numbers have come to their end. */
  isOver(): Promise<boolean>;
  /** Least left of the key's windows; null when it has no limit. Only asked with `keyId`. */
  keyLeft(): Promise<bigint | null>;
}

/**
 * One reader's way through the numbered events of an account. It is pulled: a reader that is slow asks
 * less often and gets sums. All it keeps is its position, so it takes no memory to be behind.
 */
export class UsageStream {
  readonly #source: StreamSource;
  readonly #feed: FeedReader;
  /** Read by `begin` and not yet handed out. */
  #first: UsageStreamEvent | undefined;
  /** Last number the reader was told. Undefined: a snapshot comes next. */
  #seen: bigint | undefined;
  /** Last number looked at: beyond `#seen` lie only events of other keys. */
  #scanned = 0n;
  /** Tells a read that was overtaken by an event from one that was not. */
  #advanced = false;
  readonly #sleep = new Sleep();
  /** A resumed reader hears at once that it is connected, be it by a heartbeat. */
  #patienceMs = 0;
  /** The last event told of a merge: of another account into this one, or of this one into another. */
  #merged = false;
  #closed = false;
  #failure: Error | undefined;

  /** @param after last number the reader has; undefined: it starts with a snapshot */
  constructor(source: StreamSource, after: bigint | undefined) {
    this.#source = source;
    this.#seen = after;
    // Before any snapshot is read, so that no event falls between the two.
    this.#feed = source.follow(() => this.#advance());
  }

  /**
   * Reads the start: the snapshot, or whether `after` can be resumed from.
   * @throws AppError BAD_CURSOR when `after` is ahead of the account, NOT_FOUND without an account
   */
  async begin(): Promise<void> {
    try {
      if (this.#seen === undefined) {
        this.#first = await this.#restart();
        return;
      }
      const { seq } = await this.#source.position();
      if (this.#seen > seq) throw new AppError('BAD_CURSOR', { field: 'after' });
      this.#feed.start(seq);
      this.#scanned = this.#seen;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * The next event; waits for it at most `HEARTBEAT_MS`. Undefined once closed. One call at a time.
   * @throws what `close` was given
   */
  async next(): Promise<UsageStreamEvent | undefined> {
    try {
      return await this.#next();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Another reader of the same events, going on after number `after`. */
  fork(after: bigint): UsageStream {
    const fork = new UsageStream(this.#source, after);
    fork.#patienceMs = HEARTBEAT_MS;
    fork.#scanned = after;
    fork.#feed.start(this.#feed.head);
    return fork;
  }

  /** Ends the stream; with a failure, the reader is told by a throw. */
  close(failure?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = failure;
    this.#feed.close();
    this.#sleep.wake();
  }

  async #next(): Promise<UsageStreamEvent | undefined> {
    const deadline = Date.now() + this.#patienceMs;
    this.#patienceMs = HEARTBEAT_MS;
    if (this.#merged && (await this.#source.isOver())) this.close();
    const first = await this.#start();
    while (!this.#closed) {
      if (first !== undefined) return first;
      this.#advanced = false;
      const reading = this.#feed.read(this.#scanned);
      const page = reading instanceof Promise ? await reading : reading;
      if (this.#closed) break;
      if (page.missing) return this.#lag();
      const event = this.#take(page);
      if (event !== undefined) return this.#narrowed(event);
      if (page.events.length > 0) continue;
      if (!(await this.#woken(deadline))) return this.#heartbeat();
    }
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  async #start(): Promise<UsageStreamEvent | undefined> {
    const first = this.#first;
    this.#first = undefined;
    return first === undefined && this.#seen === undefined && !this.#closed ? this.#restart() : first;
  }

  async #restart(): Promise<UsageSnapshot> {
    const snapshot = await this.#source.snapshot();
    this.#feed.start(snapshot.seq);
    this.#seen = snapshot.seq;
    this.#scanned = snapshot.seq;
    this.#patienceMs = HEARTBEAT_MS;
    return snapshot;
  }

  /**
   * `seq` stays the reader's: one that is dropped before the snapshot arrives, and resumes there, is
   * told again.
   */
  async #lag(): Promise<UsageStreamEvent> {
    const { now, prunedSeq } = await this.#source.position();
    const seq = this.#seen ?? this.#scanned;
    this.#seen = undefined;
    return { __typename: 'UsageLagged', seq, at: now, prunedSeq };
  }

  #take(page: FeedPage): UsageDelta | UsageAdjustment | undefined {
    if (page.events.length === 0) return undefined;
    const { event, scanned } = take(page.events, this.#seen ?? this.#scanned, this.#source.keyId);
    this.#scanned = scanned;
    if (event !== undefined) this.#seen = event.seq;
    this.#merged = event?.__typename === 'UsageAdjustment' && event.kind === 'MERGE';
    return event;
  }

  /** Events of the account itself do not know what a key has left. */
  async #narrowed(event: UsageDelta | UsageAdjustment): Promise<UsageStreamEvent> {
    if (event.__typename !== 'UsageAdjustment' || this.#source.keyId === null) return event;
    const left = await this.#source.keyLeft();
    return { ...event, remaining: left !== null && left < event.remaining ? left : event.remaining };
  }

  #heartbeat(): UsageStreamEvent {
    this.#seen = this.#scanned;
    return { __typename: 'UsageHeartbeat', seq: this.#scanned, at: new Date() };
  }

  #advance(): void {
    this.#advanced = true;
    this.#sleep.wake();
  }

  /** @returns false at the deadline */
  async #woken(deadline: number): Promise<boolean> {
    if (this.#advanced || this.#closed) return true;
    return this.#sleep.wait(deadline - Date.now());
  }
}
