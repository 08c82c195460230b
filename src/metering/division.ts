import type { Product } from '../units.ts';
import type { CellTable, Place } from './cells.ts';
import { Connection, type Drained, type Lender } from './connection.ts';
import { LEAST_PIECE_BYTES, MOST_PIECE_BYTES } from './limits.ts';
import { Tally } from './tally.ts';

/** What the division of a lease needs of its surroundings. */
export interface DivisionHost {
  readonly cells: CellTable;
  /** Start of the present UTC hour by the database's clock, Unix milliseconds. */
  hour(): number;
  /** false: nothing may be forwarded, whatever credit is held. */
  mayForward(): boolean;
}

/**
 * Credit of one key, divided among its connections in whole bytes. All amounts are whole
 * nano-credits below 2^53. Nothing is created here: what is lent to a connection leaves `free`,
 * and what it has not spent comes back.
 */
export abstract class Division implements Lender {
  readonly keyId: bigint;
  accountId: bigint;
  readonly tally = new Tally();
  readonly connections = new Set<Connection>();
  /** Connections that wait for credit in order to go on. */
  readonly waiting = new Set<Connection>();
  /** Credit lent to no connection. */
  free = 0;
  readonly #host: DivisionHost;
  /** Connections whose counters may have moved since the last pass. */
  readonly #moved = new Set<Connection>();
  /** Connections that may hold unspent credit. */
  readonly #lent = new Set<Connection>();
  /** Those of them whose credit is on its way back. */
  readonly #returning = new Set<Connection>();
  /** Connections that were looked at for credit and kept theirs, less what was asked for since. */
  #inVain = 0;

  constructor(host: DivisionHost, keyId: bigint, accountId: bigint) {
    this.#host = host;
    this.keyId = keyId;
    this.accountId = accountId;
  }

  /** A connection had to wait. */
  protected abstract starved(): void;
  /** Counters moved, or credit left `free`. */
  protected abstract changed(): void;
  /** Credit came back later than it was asked for: whoever waits may have it. */
  protected abstract credited(): void;

  open(product: Product): Connection {
    const connection = new Connection(this, product, this.#host.cells.take());
    this.connections.add(connection);
    return connection;
  }

  lend(connection: Connection, bytes: number, left: number): number {
    if (!connection.live || !this.#host.mayForward()) return 0;
    const needed = bytes - left;
    const { price } = connection;
    if (this.free < needed * price) this.#collect(connection);
    const affordable = this.withheld ? 0 : Math.max(0, Math.floor(this.free / price));
    const taken = Math.min(affordable, Math.max(needed, pieceBytes(connection.piece, affordable, this.#moved.size)));
    this.free -= taken * price;
    connection.grant(taken);
    connection.piece = taken;
    this.#lent.add(connection);
    this.#moved.add(connection);
    if (taken < needed) {
      this.waiting.add(connection);
      this.starved();
    } else {
      this.changed();
    }
    return Math.min(bytes, left + taken);
  }

  moved(connection: Connection): void {
    this.#moved.add(connection);
    this.#lent.add(connection);
    this.#drainOne(connection);
    this.changed();
  }

  returned(connection: Connection, bytes: number): void {
    this.free += bytes * connection.price;
    this.#returning.delete(connection);
    this.#moved.add(connection);
    this.credited();
  }

  closed(connection: Connection, place: Place): void {
    this.#drainOne(connection);
    this.#reclaim(connection);
    this.connections.delete(connection);
    this.waiting.delete(connection);
    this.#moved.delete(connection);
    this.#lent.delete(connection);
    this.#returning.delete(connection);
    this.#host.cells.release(place);
    this.changed();
  }

  /**
   * Moves what flowed from the cells into the tally, and takes the pieces of idle connections back.
   * @returns nano-credits that flowed
   */
  drain(): number {
    const before = this.tally.amount;
    this.#inVain = 0;
    for (const connection of this.#moved) {
      const { used, unsettled } = this.#drainOne(connection);
      if (used) continue;
      this.#reclaim(connection);
      connection.piece = 0;
      if (!unsettled && !connection.returning) this.#moved.delete(connection);
    }
    return this.tally.amount - before;
  }

  #drainOne(connection: Connection): Drained {
    const drained = connection.drain();
    if (drained.up === 0 && drained.down === 0) return drained;
    const hour = this.#host.hour();
    const free = this.tally.add(connection.product, hour, drained.up, drained.down);
    connection.tell(hour, drained.up, drained.down);
    // Newly owed bytes were settled already: their credit is gone until other bytes make it good.
    if (free < 0) connection.grant(free);
    else this.free += free * connection.price;
    return drained;
  }

  #reclaim(connection: Connection): void {
    this.free += connection.reclaim() * connection.price;
    if (connection.returning) this.#returning.add(connection);
    else this.#lent.delete(connection);
  }

  /** Takes all unspent credit back from the connections. */
  sweep(): void {
    for (const connection of this.#lent) this.#reclaim(connection);
  }

  /** Takes unspent credit back for one that needs it: not what others have only just been lent. */
  #collect(needy?: Connection): void {
    // What is on its way already may be enough.
    if (this.returning) return;
    // A look at many who keep theirs is made good by as many who ask: the cost of each stays the same.
    this.#inVain -= LOOKS_PER_ASKING;
    if (this.#inVain > 0) return;
    this.#inVain = 0;
    for (const connection of this.#lent) {
      if (connection === needy || connection.fresh) this.#inVain += 1;
      else this.#reclaim(connection);
    }
  }

  /** Credit is on its way back from connections that another thread relays. */
  get returning(): boolean {
    return this.#returning.size > 0;
  }

  /** Nothing is lent, although there is credit. */
  protected get withheld(): boolean {
    return false;
  }

  /** Whether a byte at this price can be lent. Takes credit back from the connections if it must. */
  covers(price: number): boolean {
    if (this.free < price) this.#collect();
    return this.free >= price;
  }

  /** Bytes that flowed and are still in the cells or the tally. */
  get unbilledBytes(): number {
    let sum = this.tally.bytes;
    for (const connection of this.#moved) sum += connection.undrained;
    return sum;
  }

  /** Drains, and tells whether bytes are on their way that the other side has not accepted. */
  drainDelivers(): boolean {
    this.drain();
    for (const connection of this.#moved) if (connection.live && connection.undrained > 0) return true;
    return false;
  }

  /** Not spent, wherever it is. */
  get spendable(): number {
    let sum = this.free;
    for (const connection of this.#lent) sum += Math.max(0, connection.left) * connection.price;
    return sum;
  }
}

/** Pieces double with use and shrink with what can be lent, and with the number of those who are busy: each gets some. */
function pieceBytes(last: number, affordable: number, busy: number): number {
  const doubled = Math.min(Math.max(2 * last, LEAST_PIECE_BYTES), MOST_PIECE_BYTES);
  const share = Math.max(LEAST_PIECE_BYTES, affordable / Math.max(1, busy));
  return Math.floor(Math.min(doubled, share, affordable / PIECES_AT_LEAST));
}

/** Connections that may be looked at for each that asks for credit, on average. */
const LOOKS_PER_ASKING = 64;

/** A lease is lent in at least so many pieces, so that it runs low before it runs dry. */
const PIECES_AT_LEAST = 4;
