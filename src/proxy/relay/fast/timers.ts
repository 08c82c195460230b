/** Milliseconds that one step of the wheel stands for: timeouts are late by up to one. */
const TICK_MS = 50;
/** Steps of the wheel; what is due later goes round again. */
const BUCKETS = 256;
/** A worker sleeps at most this long: an order to stop, or the end of the process, must not wait for traffic. */
const MOST_SLEEP_MS = 500;

/** Something with one deadline, which may move at any time. */
export interface Timed {
  readonly id: number;
  /** Milliseconds of the worker's clock. Moving it later costs nothing; earlier needs `Timers.set`. */
  due: number;
  /** Tick of its one valid entry in the wheel; 0: none. Only for the wheel. */
  tick: number;
  expired(): void;
}

/**
 * A coarse timer wheel: an entry is looked at when its tick comes, and put back if it is not due
 * yet. It holds ids, so that what has closed long before its deadline is not kept in memory.
 */
export class Timers {
  readonly #buckets: number[][] = Array.from({ length: BUCKETS }, () => []);
  readonly #find: (id: number) => Timed | undefined;
  #tick: number;

  /** @param find what is still open under an id */
  constructor(find: (id: number) => Timed | undefined, now: number) {
    this.#find = find;
    this.#tick = Math.floor(now / TICK_MS);
  }

  set(item: Timed, due: number): void {
    item.due = due;
    const tick = Math.min(Math.max(Math.ceil(due / TICK_MS), this.#tick + 1), this.#tick + BUCKETS - 1);
    if (item.tick > this.#tick && item.tick <= tick) return;
    item.tick = tick;
    this.#buckets[tick % BUCKETS]?.push(item.id);
  }

  /** Calls `expired` of everything that is due. */
  advance(now: number): void {
    const last = Math.floor(now / TICK_MS);
    while (this.#tick < last) {
      this.#tick++;
      const index = this.#tick % BUCKETS;
      const ids = this.#buckets[index] ?? [];
      if (ids.length === 0) continue;
      this.#buckets[index] = [];
      for (const id of ids) this.#look(id, now);
    }
  }

  /** Milliseconds until there may be something to do. */
  sleepMs(now: number): number {
    for (let tick = this.#tick + 1; tick <= this.#tick + MOST_SLEEP_MS / TICK_MS; tick++) {
      if (this.#buckets[tick % BUCKETS]?.length !== 0) return Math.max(0, Math.ceil(tick * TICK_MS - now));
    }
    return MOST_SLEEP_MS;
  }

  #look(id: number, now: number): void {
    const item = this.#find(id);
    if (item?.tick !== this.#tick) return;
    item.tick = 0;
    if (item.due <= now) item.expired();
    else this.set(item, item.due);
  }
}
