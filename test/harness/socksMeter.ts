import type { RefusalCode } from '../../src/errors.ts';
import { createCellTable } from '../../src/metering/cells.ts';
import { Division } from '../../src/metering/division.ts';
import type { Billed, Direction, MeterSession, OpenSession, SessionHandlers } from '../../src/metering/session.ts';

/** A meter without a ledger: one credit of bytes, divided among all sessions as the real one divides a lease. */
export interface TestMeter {
  readonly openSession: OpenSession;
  readonly sessions: readonly TestSession[];
  /** Bytes spent and not given back, over all sessions. */
  spent(direction?: Direction): number;
  /** Sessions that wait for credit. */
  readonly waiting: number;
  /** Adds to the credit and wakes the sessions that wait. */
  grant(bytes: number): void;
  /** Ends every session, as exhaustion or a revocation does. */
  end(reason: RefusalCode): void;
}

export interface TestSession extends MeterSession {
  readonly handlers: SessionHandlers | undefined;
  readonly closed: boolean;
  readonly refunded: number;
}

/** More than any test moves, and small enough for sums to stay exact. */
const PLENTY = 2 ** 46;

/**
 * @param credit bytes of the product SHARED that may be spent
 * @param endWhenEmpty ends the sessions when one waits and nothing is left anywhere
 */
export function createTestMeter(credit = PLENTY, endWhenEmpty?: RefusalCode): TestMeter {
  const sessions: Session[] = [];
  const end = (reason: RefusalCode): void => sessions.forEach((session) => session.end(reason));
  const purse = new Purse(() => {
    if (endWhenEmpty !== undefined) end(endWhenEmpty);
  });
  purse.add(credit);
  return {
    sessions,
    openSession: (_key, product) => {
      const session = new Session(purse.open(product));
      sessions.push(session);
      return Promise.resolve({ session });
    },
    spent: (direction) =>
      sessions.reduce((sum, session) => sum + (direction ? session.count(direction) : session.total), 0),
    get waiting() {
      return purse.waiting.size;
    },
    grant: (bytes) => purse.add(bytes),
    end,
  };
}

const PRICE = 3;
/** Milliseconds. */
const LOOK_MS = 5;

/** The division of a lease, without a ledger that renews it. */
class Purse extends Division {
  readonly #emptied: () => void;
  #looking = false;

  constructor(emptied: () => void) {
    const cells = createCellTable((bytes) => new SharedArrayBuffer(bytes));
    super({ cells, hour: () => 0, mayForward: () => true }, 1n, 1n);
    this.#emptied = emptied;
  }

  add(bytes: number): void {
    this.free += bytes * PRICE;
    this.credited();
  }

  /** As the real meter does, looks soon whether some hold credit that they do not use. */
  protected override starved(): void {
    if (this.#looking) return;
    this.#looking = true;
    setTimeout(() => {
      this.#looking = false;
      if (this.waiting.size === 0) return;
      this.drain();
      const most = Math.max(PRICE, ...[...this.waiting].map(({ cost }) => cost));
      if (this.covers(most) || this.spendable >= most) this.credited();
      else this.#emptied();
    }, LOOK_MS);
  }

  protected override changed(): void {
    // Nothing is settled here.
  }

  protected override credited(): void {
    for (const connection of Array.from(this.waiting)) {
      if (!this.covers(connection.cost)) continue;
      this.waiting.delete(connection);
      connection.resume();
    }
    if (this.waiting.size > 0) this.starved();
  }
}

/** A session that checks how it is used. */
class Session implements TestSession {
  handlers: SessionHandlers | undefined;
  closed = false;
  refunded = 0;
  readonly #inner: ReturnType<Purse['open']>;
  /** What had been spent when it was closed: the cells are somebody else's then. */
  #final: Readonly<Record<Direction, number>> | undefined;

  constructor(inner: ReturnType<Purse['open']>) {
    this.#inner = inner;
  }

  get keyId(): bigint {
    return this.#inner.keyId;
  }

  get accountId(): bigint {
    return this.#inner.accountId;
  }

  get product(): MeterSession['product'] {
    return this.#inner.product;
  }

  get cells(): MeterSession['cells'] {
    return this.#inner.cells;
  }

  get slot(): number {
    return this.#inner.slot;
  }

  count(direction: Direction): number {
    return this.#final?.[direction] ?? this.cells[direction][this.slot] ?? 0;
  }

  get total(): number {
    return this.count('up') + this.count('down');
  }

  spend(direction: Direction, bytes: number): number {
    if (this.closed) throw new Error('spent after close');
    return this.#inner.spend(direction, bytes);
  }

  spendWhole(direction: Direction, bytes: number): boolean {
    if (this.closed) throw new Error('spent after close');
    return this.#inner.spendWhole(direction, bytes);
  }

  request(bytes: number): number {
    if (this.closed) throw new Error('requested after close');
    return this.#inner.request(bytes);
  }

  acknowledged(): void {
    this.#inner.acknowledged();
  }

  follow(billed: Billed): void {
    this.#inner.follow(billed);
  }

  refund(direction: Direction, bytes: number): void {
    if (this.closed) throw new Error('refunded after close');
    if (bytes <= 0 || bytes > this.count(direction)) throw new Error(`refund of ${bytes}`);
    this.refunded += bytes;
    this.#inner.refund(direction, bytes);
  }

  attach(handlers: SessionHandlers): void {
    if (this.handlers !== undefined) throw new Error('attached twice');
    this.handlers = handlers;
    this.#inner.attach(handlers);
  }

  end(reason: RefusalCode): void {
    if (!this.closed) this.#inner.end(reason);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#final = { up: this.count('up'), down: this.count('down') };
    const { granted } = this.cells;
    if (this.total > (granted[this.slot] ?? 0)) throw new Error('more was spent than granted');
    this.#inner.close();
  }
}
