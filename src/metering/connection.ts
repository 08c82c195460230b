import type { RefusalCode } from '../errors.ts';
import { PRICE_PER_BYTE, type Product } from '../units.ts';
import type { Place } from './cells.ts';
import type { Billed, Direction, LeaseCells, MeterSession, SessionHandlers } from './session.ts';

/** What a connection needs of the meter of its key. */
export interface Lender {
  readonly keyId: bigint;
  readonly accountId: bigint;
  /**
   * The piece does not cover `bytes`: lends more if it can; otherwise the connection waits.
   * @returns bytes that may be spent now, up to `bytes`
   */
  lend(connection: Connection, bytes: number, left: number): number;
  /** Counters moved without a loan: look at them when settling. */
  moved(connection: Connection): void;
  /** Credit came back that another thread had held. */
  returned(connection: Connection, bytes: number): void;
  /** @param place its own no more */
  closed(connection: Connection, place: Place): void;
}

/** Bytes that flowed since the last look, and whether the connection still holds something. */
export interface Drained {
  readonly up: number;
  readonly down: number;
  /** Bytes were spent since the last look. */
  readonly used: boolean;
  /** Bytes have been spent that the other side has not accepted yet. */
  readonly unsettled: boolean;
}

/** Cells without credit, for connections that have closed: their slot belongs to somebody else. */
const CLOSED: Place = {
  slab: {
    granted: new Float64Array(1),
    up: new Float64Array(1),
    down: new Float64Array(1),
    acceptedUp: new Float64Array(1),
    acceptedDown: new Float64Array(1),
    generation: new Uint32Array(1),
  },
  slot: 0,
  generation: 0,
};

/** One metered connection, relayed in this thread or in another one. */
export class Connection implements MeterSession {
  readonly keyId: bigint;
  readonly accountId: bigint;
  readonly product: Product;
  /** Nano-credits per byte. */
  readonly price: number;
  /** Size of the last piece lent, in bytes: pieces grow with the speed. */
  piece = 0;
  readonly #lender: Lender;
  #place: Place;
  #drainedUp = 0;
  #drainedDown = 0;
  #seen = 0;
  #handlers: SessionHandlers | undefined;
  #billed: Billed | undefined;
  /** What entered the bill before anybody followed: another thread relays before this one has heard of it. */
  #untold: { readonly hour: number; readonly up: number; readonly down: number } | undefined;
  #ended: RefusalCode | undefined;
  #closed = false;
  /** Bytes by which `granted` was lowered, which the thread that spends has not acknowledged. */
  #recalled = 0;
  /** Bytes spent when credit was last lent; until more are, that credit is not asked back for others. */
  #spentAtLoan = -1;
  /** Bytes that it must be able to spend at once in order to go on. */
  #least = 1;

  constructor(lender: Lender, product: Product, place: Place) {
    this.keyId = lender.keyId;
    this.accountId = lender.accountId;
    this.product = product;
    this.price = Number(PRICE_PER_BYTE[product]);
    this.#place = place;
    this.#lender = lender;
  }

  get cells(): LeaseCells {
    return this.#place.slab;
  }

  get slot(): number {
    return this.#place.slot;
  }

  spend(direction: Direction, bytes: number): number {
    const { slot, cells } = this;
    const up = cells.up[slot] ?? 0;
    const down = cells.down[slot] ?? 0;
    const left = (cells.granted[slot] ?? 0) - up - down;
    const allowed = bytes <= left ? bytes : this.#lender.lend(this, bytes, left);
    if (direction === 'up') cells.up[slot] = up + allowed;
    else cells.down[slot] = down + allowed;
    return allowed;
  }

  spendWhole(direction: Direction, bytes: number): boolean {
    const left = this.#spendable;
    const covered = bytes <= left || this.#lender.lend(this, bytes, left) === bytes;
    this.#least = covered ? 1 : bytes;
    if (!covered || this.#closed) return false;
    const column = this.cells[direction];
    column[this.slot] = (column[this.slot] ?? 0) + bytes;
    return true;
  }

  request(bytes: number): number {
    const spendable = this.#spendable;
    if (bytes > 0 && spendable >= bytes) return spendable;
    // Below zero while another thread has spent what is being taken back, and has not acknowledged that: less than it
    // lacks would leave it waiting, and nobody would know.
    this.#lender.lend(this, bytes + (bytes > 0 ? Math.max(0, spendable) : spendable), spendable);
    return this.#spendable;
  }

  acknowledged(): void {
    const bytes = this.#recalled;
    if (bytes === 0 || this.#closed) return;
    this.#recalled = 0;
    // What it spent before it saw the lower value was still its own.
    const kept = Math.min(bytes, Math.max(0, -this.#spendable));
    this.#raise(kept);
    this.#lender.returned(this, bytes - kept);
  }

  refund(direction: Direction, bytes: number): void {
    if (this.#closed || bytes === 0) return;
    const column = this.cells[direction];
    column[this.slot] = (column[this.slot] ?? 0) - bytes;
    this.#lender.moved(this);
  }

  attach(handlers: SessionHandlers): void {
    this.#handlers = handlers;
    if (this.#ended !== undefined) handlers.ended(this.#ended);
  }

  follow(billed: Billed): void {
    this.#billed = billed;
    if (this.#untold !== undefined) billed(this.#untold.hour, this.#untold.up, this.#untold.down);
    this.#untold = undefined;
  }

  /** These bytes entered the bill. */
  tell(hour: number, up: number, down: number): void {
    if (this.#billed !== undefined) return this.#billed(hour, up, down);
    const before = this.#untold;
    this.#untold = { hour, up: (before?.up ?? 0) + up, down: (before?.down ?? 0) + down };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lender.closed(this, this.#place);
    this.#place = CLOSED;
  }

  /** Whether it may still spend. */
  get live(): boolean {
    return !this.#closed && this.#ended === undefined;
  }

  /** Nano-credits without which it cannot go on: the price of a byte, or of the datagram that came. */
  get cost(): number {
    return this.price * this.#least;
  }

  /** Bytes lent and not spent, those included that are on their way back. */
  get left(): number {
    return this.#spendable + this.#recalled;
  }

  /** Credit is on its way back. */
  get returning(): boolean {
    return this.#recalled > 0;
  }

  /**
   * Another thread has been lent credit and has not begun to spend it. Taking that back for somebody
   * else who waits, who would lose it in the same way, could go on for ever.
   */
  get fresh(): boolean {
    return this.#handlers?.lowered !== undefined && this.#spent === this.#spentAtLoan;
  }

  get #spent(): number {
    return (this.cells.up[this.slot] ?? 0) + (this.cells.down[this.slot] ?? 0);
  }

  get #spendable(): number {
    return (this.cells.granted[this.slot] ?? 0) - this.#spent;
  }

  /** Bytes spent that have not been drained. */
  get undrained(): number {
    const { cells, slot } = this;
    return (cells.up[slot] ?? 0) + (cells.down[slot] ?? 0) - this.#drainedUp - this.#drainedDown;
  }

  /** Lends `bytes` more; negative where they are owed. */
  grant(bytes: number): void {
    this.#spentAtLoan = this.#spent;
    this.#raise(bytes);
  }

  #raise(bytes: number): void {
    this.cells.granted[this.slot] = (this.cells.granted[this.slot] ?? 0) + bytes;
  }

  /**
   * Takes back everything not spent.
   * @returns bytes that came back at once. Where another thread spends the cells and has not closed
   *   the connection, they come back later (`Lender.returned`), when it has acknowledged.
   */
  reclaim(): number {
    const handlers = this.#closed ? undefined : this.#handlers;
    if (handlers?.lowered === undefined) {
      const bytes = Math.max(0, this.left);
      this.#raise(this.#recalled - bytes);
      this.#recalled = 0;
      return bytes;
    }
    // One at a time: while one is on its way, what was lent since stays.
    const bytes = this.#recalled > 0 ? 0 : this.#spendable;
    if (bytes <= 0) return 0;
    this.#recalled = bytes;
    this.#raise(-bytes);
    handlers.lowered();
    return 0;
  }

  /** Reads the counters: what flowed and, while open, was accepted by the other side since the last time. */
  drain(): Drained {
    const up = this.cells.up[this.slot] ?? 0;
    const down = this.cells.down[this.slot] ?? 0;
    const used = up + down !== this.#seen;
    this.#seen = up + down;
    const flowedUp = this.#accepted('up', up - this.#drainedUp);
    const flowedDown = this.#accepted('down', down - this.#drainedDown);
    this.#drainedUp += flowedUp;
    this.#drainedDown += flowedDown;
    const unsettled = up !== this.#drainedUp || down !== this.#drainedDown;
    return { up: flowedUp, down: flowedDown, used, unsettled };
  }

  #accepted(direction: Direction, bytes: number): number {
    if (bytes <= 0 || this.#closed || this.#handlers?.unaccepted === undefined) return bytes;
    return bytes - Math.min(bytes, this.#handlers.unaccepted(direction));
  }

  /** Tells the relay that more may be spent. */
  resume(): void {
    this.#least = 1;
    this.#handlers?.granted();
  }

  /** Tells the relay that nothing more may be spent, ever. */
  end(reason: RefusalCode): void {
    if (!this.live) return;
    this.#ended = reason;
    this.#handlers?.ended(reason);
  }
}
