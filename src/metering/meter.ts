import type { RefusalCode } from '../errors.ts';
import type { TickAnswer, TickLine, TickRequest } from '../resolvers/ledger/types.ts';
import { PRICE_PER_BYTE } from '../units.ts';
import { Division, type DivisionHost } from './division.ts';
import { Pace } from './pace.ts';

/** Nano-credits of the cheapest byte. */
const LEAST_PRICE = Math.min(...Object.values(PRICE_PER_BYTE).map(Number));

/** A connection that waits for its first credit. */
export interface Opener {
  /** Nano-credits per byte. */
  readonly price: number;
  admit(): void;
  refuse(reason: RefusalCode): void;
}

/** What a meter needs of the loop that settles it. */
export interface MeterHost extends DivisionHost {
  now(): number;
  /** Something moved: settle at the usual interval. */
  touched(meter: KeyMeter): void;
  /** Credit is short, or terms changed: settle as soon as allowed. */
  hurry(meter: KeyMeter): void;
}

/** A settlement on its way: sent again, unchanged, until it is acknowledged. */
export interface FrozenRow {
  readonly meter: KeyMeter;
  readonly request: TickRequest;
  readonly lines: readonly TickLine[];
  /** Sum of the lines. */
  readonly bytes: number;
  /** It asks for more than the lease holds. */
  readonly asks: boolean;
}

/**
 * The lease of one key. At any time: reserved = free + Σ lent to connections (less what of it is
 * drained) + tally, so the connections can never spend more than the ledger has granted
 * (ARCHITECTURE.md, "Ledger").
 */
export class KeyMeter extends Division {
  readonly pace: Pace;
  readonly openers = new Set<Opener>();
  /** Sequence of the last settlement acknowledged. */
  seq: bigint;
  /** What the ledger holds for this lease once the settlement on its way is applied. */
  reserved: number;
  /** Highest price of a connection so far, nano-credits per byte. */
  price = 1;
  /** When to settle what flowed. */
  passAt = Number.POSITIVE_INFINITY;
  /** Settle as soon as allowed. */
  urgent = false;
  /** Somebody else waits for this credit. */
  recalled = false;
  /** The terms changed: give everything back and ask again. */
  refreshing = false;
  /** Ask for a byte more than held, to hear how the key stands. */
  probing = false;
  /** Settle even if nothing flowed, so that the ledger may close the hour. */
  hourEnded = false;
  /** First empty grant while somebody else held credit. */
  contendedAt: number | undefined;
  /** First refusal while last bytes were being delivered. */
  exhaustedAt: number | undefined;
  /** Since when credit is awaited that other threads are to let go of. */
  returningSince: number | undefined;
  /** The ledger is not asked before. */
  retryAt = 0;
  frozen: FrozenRow | undefined;
  /** The instance was fenced or the key is gone: whatever still happens here is of no account. */
  dead = false;
  readonly #host: MeterHost;

  /** @param lease what the ledger already holds for this instance and key, and the last sequence */
  constructor(host: MeterHost, keyId: bigint, accountId: bigint, lease: { seq: bigint; reserved: number }) {
    super(host, keyId, accountId);
    this.#host = host;
    this.seq = lease.seq;
    this.reserved = lease.reserved;
    this.free = lease.reserved;
    this.pace = new Pace(host.now());
  }

  protected override starved(): void {
    this.pace.dryAt ??= this.#host.now();
    this.#host.hurry(this);
  }

  protected override changed(): void {
    if (this.short) this.#host.hurry(this);
    else this.#host.touched(this);
  }

  protected override credited(): void {
    if (!this.withheld) this.serve();
    this.changed();
  }

  /** Everything is to go back: what comes from other threads first waits for the rest. */
  protected override get withheld(): boolean {
    return (this.refreshing || this.recalled) && this.returning;
  }

  /** Little is left that is not lent to a connection: renew before it runs dry. */
  get short(): boolean {
    return this.free < this.pace.lowWater(this.reserved);
  }

  /** The credit, without looking at every connection: good enough for when to look at them. */
  get roughly(): { readonly spendable: number; readonly price: number } {
    return { spendable: this.reserved - this.tally.amount, price: this.price };
  }

  /** Somebody waits for credit. */
  get starving(): boolean {
    return this.waiting.size > 0 || this.openers.size > 0;
  }

  /** Nano-credits that the largest of the datagrams that wait costs; a byte of a stream is the least of them. */
  get needed(): number {
    let most = this.price;
    for (const { cost } of this.waiting) most = Math.max(most, cost);
    return most;
  }

  /** Bytes that flowed and that the ledger has not acknowledged. */
  override get unbilledBytes(): number {
    return super.unbilledBytes + (this.frozen?.bytes ?? 0);
  }

  /** Nothing leased, nothing on its way, nobody waits: nothing to do until a connection asks. */
  get dormant(): boolean {
    return this.reserved === 0 && this.frozen === undefined && !this.starving && !this.refreshing && !this.probing;
  }

  /** Makes a settlement of everything drained, wishing to hold `target` unspent. */
  freeze(target: number): FrozenRow {
    if (this.recalled || target === 0) this.sweep();
    const { spendable } = this;
    const { amount, bytes } = this.tally;
    const lines = this.tally.take(this.keyId);
    const given = Math.max(0, Math.min(this.free, spendable - target));
    // The own ceiling falls before the ledger hears of it.
    this.free -= given;
    this.reserved -= amount + given;
    const want = this.reserved + Math.max(0, target - spendable);
    const request = { keyId: this.keyId, seq: this.seq + 1n, want: BigInt(want) };
    this.frozen = { meter: this, request, lines, bytes, asks: want > this.reserved };
    return this.frozen;
  }

  /**
   * Takes the answer to the settlement on its way.
   * @returns nano-credits gained; negative only if ledger and meter disagree
   */
  acknowledge(answer: TickAnswer): number {
    const gained = Number(answer.granted - answer.spent) - this.reserved;
    this.seq = answer.seq;
    this.frozen = undefined;
    this.pace.renewed(this.#host.now());
    this.reserved += gained;
    this.free += gained;
    if (this.free < 0) this.sweep();
    return gained;
  }

  /** Lets those go on who wait, as far as the credit goes. */
  serve(): void {
    for (const opener of this.#servable(this.openers, ({ price }) => price)) {
      this.openers.delete(opener);
      opener.admit();
    }
    for (const connection of this.#servable(this.waiting, ({ cost }) => cost)) {
      this.waiting.delete(connection);
      this.pace.resumed();
      connection.resume();
    }
  }

  /** Those who are covered when their turn comes, but not who joins meanwhile. With nothing left nobody is looked at. */
  *#servable<Waiting>(list: ReadonlySet<Waiting>, costOf: (each: Waiting) => number): Generator<Waiting, void> {
    let left = list.size;
    for (const each of list) {
      if (this.covers(costOf(each))) yield each;
      else if (this.free < LEAST_PRICE) return;
      left -= 1;
      if (left <= 0) return;
    }
  }

  /** Ends the connections that the credit does not cover, and refuses those that wait to open. */
  finish(reason: RefusalCode): void {
    this.sweep();
    this.#end(reason, this.free);
  }

  /** Ends all connections. */
  endAll(reason: RefusalCode): void {
    this.sweep();
    this.#end(reason, 0);
  }

  #end(reason: RefusalCode, credit: number): void {
    for (const opener of Array.from(this.openers)) {
      if (opener.price <= credit) continue;
      this.openers.delete(opener);
      opener.refuse(reason);
    }
    for (const connection of Array.from(this.connections)) {
      if (connection.cost <= credit) continue;
      this.waiting.delete(connection);
      connection.end(reason);
    }
  }
}
