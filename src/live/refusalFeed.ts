import type { CountedRefusals, OnRefused } from '../events.ts';

/** Counts (per key, reason and day) that a feed remembers; refusals beyond are not told, only counted. */
const MAX_COUNTS = 2_000;
/** How much later than its refusals a count may be written, clocks that differ included. */
export const LATE_MS = 30_000;
const DAY_MS = 86_400_000;

/**
 * Refused connections of one account, for all of its streams in this process. Counts of a day only grow,
 * so that whatever comes twice, late or in another order is told once: what a total is above the last one.
 */
export class RefusalFeed {
  readonly #load: () => Promise<readonly CountedRefusals[]>;
  readonly #followers = new Set<OnRefused>();
  readonly #totals = new Map<string, bigint>();
  /** The counts from which on is told. */
  #start: Promise<void> | undefined;
  #started = false;
  #startedAtMs = 0;
  /** Counts of earlier days are forgotten, and do not change any more. */
  #firstDay = '';

  /** @param load reads the counts of today and yesterday */
  constructor(load: () => Promise<readonly CountedRefusals[]>) {
    this.#load = load;
  }

  /** @returns a function that stops; @throws what `load` throws */
  async follow(onRefused: OnRefused, onIdle: () => void): Promise<() => void> {
    const listener: OnRefused = (refusals) => onRefused(refusals);
    const stop = (): void => {
      if (this.#followers.delete(listener) && this.#followers.size === 0) onIdle();
    };
    this.#followers.add(listener);
    try {
      await (this.#start ??= this.#begin());
    } catch (error) {
      this.#start = undefined;
      stop();
      throw error;
    }
    return stop;
  }

  /** Refusals that were counted, as they were heard or read. */
  offer(refusals: CountedRefusals): void {
    const { keyId, code, day, total } = refusals;
    if (day < this.#firstDay) return;
    const name = `${keyId} ${code} ${day}`;
    const known = this.#totals.get(name);
    if (known !== undefined && known >= total) return;
    this.#forgetBefore(day);
    if (known === undefined && this.#totals.size >= MAX_COUNTS) return;
    this.#totals.set(name, total);
    if (!this.#started) return;
    const count = total - (known ?? this.#before(refusals));
    if (count > 0n) for (const follower of this.#followers) follower({ ...refusals, count });
  }

  /** What was counted before a count that is new here: some, when the key has come from another account. */
  #before({ firstAt, total, count }: CountedRefusals): bigint {
    return firstAt.getTime() >= this.#startedAtMs - LATE_MS ? 0n : total - count;
  }

  async #begin(): Promise<void> {
    this.#startedAtMs = Date.now();
    for (const refusals of await this.#load()) this.offer(refusals);
    this.#started = true;
  }

  #forgetBefore(day: string): void {
    const firstDay = new Date(Date.parse(day) - DAY_MS).toISOString().slice(0, 10);
    if (firstDay <= this.#firstDay) return;
    this.#firstDay = firstDay;
    for (const name of this.#totals.keys()) if (name.slice(-firstDay.length) < firstDay) this.#totals.delete(name);
  }
}
