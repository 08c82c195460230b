import * as limits from './limits.ts';

/** What a pass over one key has found. Credit in nano-credits. */
export interface Demand {
  /** Spent since the last pass. */
  readonly used: number;
  /** Leased and not spent, wherever it is. */
  readonly spendable: number;
  /** Somebody waits for credit. */
  readonly starving: boolean;
  /** Highest price per byte among the connections. */
  readonly price: number;
  /** The account has a live subscriber. */
  readonly watched: boolean;
}

/** How fast one key spends, how much it should hold, and how often it may ask. */
export class Pace {
  /** Nano-credits per millisecond. */
  rate = 0;
  /** What the ledger could still lend, as of its last answer; unknown at first. */
  left = Number.POSITIVE_INFINITY;
  /** When the lease ran dry; undefined while it lasts. */
  dryAt: number | undefined;
  #target = 0;
  /** Spent since the present sample of the speed began. */
  #used = 0;
  #sampledAt: number;
  #usedAt: number;
  /** When the last settlements were sent, latest last. */
  readonly #sent: number[] = [];

  constructor(now: number) {
    this.#sampledAt = now;
    this.#usedAt = now;
  }

  /** Learns from a pass. A lease that ran dry says more about the speed than the time it then waited. */
  observe({ used, spendable, starving }: Demand, now: number): void {
    if (used > 0 || starving) this.#usedAt = now;
    if (!starving) this.dryAt = undefined;
    this.#used += used;
    const sampleMs = now - this.#sampledAt;
    // Who waits while others hold most of the lease has not found it dry.
    const dryAt = spendable < this.#used / DRY_SHARE ? this.dryAt : undefined;
    // The larger part of a lease tells as much as a long look: a fast client must not run dry to be known as one.
    const telling = dryAt !== undefined || this.#used > spendable || sampleMs >= MIN_SAMPLE_MS;
    if (!telling) return;
    const busyMs = Math.max((dryAt ?? now) - this.#sampledAt, sampleMs / DRY_GAIN, 1);
    this.rate = Math.max(this.#used / busyMs, this.rate * Math.exp(-sampleMs / RATE_MEMORY_MS));
    this.#used = 0;
    this.#sampledAt = now;
    if (!this.idle(now)) return;
    this.rate = 0;
    this.#target = 0;
  }

  /** Credit came. Whoever waited for it used none meanwhile: that time says nothing about the speed. */
  renewed(now: number): void {
    if (this.dryAt !== undefined) this.#sampledAt = now;
  }

  /** Nobody waits any more. */
  resumed(): void {
    this.dryAt = undefined;
  }

  /** No use for two beats. */
  idle(now: number): boolean {
    return now - this.#usedAt >= limits.IDLE_RELEASE_MS;
  }

  /** Nano-credits below which a renewal is worth a call to the ledger. */
  get renewBelow(): number {
    return this.#target / limits.RENEW_SHARE;
  }

  /** Nano-credits the key should hold, unspent, until its next settlement (ARCHITECTURE.md, "Ledger"). */
  target(demand: Demand): number {
    const { price, spendable, starving } = demand;
    const least = limits.LEAST_LEASE_BYTES * price;
    const usual = limits.MOST_LEASE_BYTES * price;
    const most = Math.max(usual, limits.MOST_LEASE_MS * this.rate);
    const share = (this.left + spendable) / limits.LEASE_SHARE;
    // One that ran dry, or is the first, gets all that may be had whatever the speed: its first bytes may have come late,
    // and less would only be asked for again at once. What turns out to be too much goes back with the next settlement.
    const twice = Math.max(2 * this.rate * this.intervalMs(demand), starving ? usual : 0);
    this.#target = Math.ceil(Math.max(least, Math.min(twice, most, share, limits.MOST_LEASE_NANO)));
    return this.#target;
  }

  /** What a recalled lease keeps. */
  kept(spendable: number): number {
    return Math.floor(Math.min(spendable, this.rate * limits.RECALLED_KEEP_MS));
  }

  /** Renewal is due when less than this is not lent to a connection. */
  lowWater(reserved: number): number {
    return limits.LOW_WATER * Math.min(this.#target, reserved);
  }

  intervalMs(demand: Pick<Demand, 'spendable' | 'price' | 'watched'>): number {
    if (this.ending(demand)) return limits.ENDING_INTERVAL_MS;
    return demand.watched ? limits.WATCHED_INTERVAL_MS : limits.USUAL_INTERVAL_MS;
  }

  /** Less than two seconds of credit is left, as far as is known. */
  ending({ spendable, price }: Pick<Demand, 'spendable' | 'price'>): boolean {
    const least = limits.LEAST_LEASE_BYTES * price;
    return this.left < least || this.left + spendable < this.rate * limits.ENDING_HORIZON_MS;
  }

  sent(now: number): void {
    this.#sent.push(now);
    if (this.#sent.length > limits.USUAL_TICKS_PER_SECOND) this.#sent.shift();
  }

  /** From when on the ledger may be asked again. */
  earliest(demand: Pick<Demand, 'spendable' | 'price'>): number {
    const last = this.#sent.at(-1);
    if (last === undefined) return 0;
    if (this.ending(demand)) return last + limits.ENDING_SPACING_MS;
    const first = this.#sent.length < limits.USUAL_TICKS_PER_SECOND ? undefined : this.#sent[0];
    return first === undefined ? 0 : first + SECOND_MS;
  }
}

const SECOND_MS = 1_000;
/** Shorter samples of a lease that has not run dry, nor lost its larger part, say little about the speed. */
const MIN_SAMPLE_MS = 100;
/** A lease is dry when less than this part of what was used is left. */
const DRY_SHARE = 4;
/** The time for which a lease was dry makes the measured rate at most so many times larger. */
const DRY_GAIN = 16;
/** A measured rate fades with this time constant. */
const RATE_MEMORY_MS = 500;
