import type { LeaseCells } from '../../../metering/session.ts';

/** Bytes that are asked for when nothing is left. */
const WANTED_BYTES = 16 << 10;

/**
 * The credit of one connection, as the worker that spends it sees it. Single writer per cell: the
 * worker writes what was spent and accepted, the main thread what is granted. A stale `granted`
 * shows less than there is; a lower one counts as seen once the worker has acknowledged it.
 */
export class Lease {
  readonly granted: Float64Array;
  readonly slot: number;
  readonly #up: Float64Array;
  readonly #down: Float64Array;
  /** `granted` when it was last looked at, and the rest of it at which more is asked for. */
  #seen = 0;
  #lowWater = 0;
  /** `granted` when more was last asked for: one request for each. */
  #askedAt = -1;
  #waiting = false;

  constructor(cells: LeaseCells, slot: number) {
    this.granted = cells.granted;
    this.#up = cells.up;
    this.#down = cells.down;
    this.slot = slot;
  }

  /** Bytes that may be spent now. */
  get left(): number {
    return (this.granted[this.slot] ?? 0) - (this.#up[this.slot] ?? 0) - (this.#down[this.slot] ?? 0);
  }

  /** @returns whether to ask for more, after bytes were spent */
  runsLow(): boolean {
    const granted = this.granted[this.slot] ?? 0;
    if (granted !== this.#seen) {
      this.#lowWater = Math.max(0, granted - this.#seen) / 2;
      this.#seen = granted;
    }
    if (granted === this.#askedAt || this.left >= this.#lowWater) return false;
    this.#askedAt = granted;
    return true;
  }

  /** Nothing is left and bytes wait. @returns how many to ask for; 0 when that was done already */
  want(): number {
    if (this.#waiting) return 0;
    this.#waiting = true;
    return WANTED_BYTES;
  }

  /** More may have been granted. */
  answered(): void {
    this.#waiting = false;
  }
}
