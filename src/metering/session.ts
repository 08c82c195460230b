import type { RefusalCode } from '../errors.ts';
import type { Product } from '../units.ts';

/** `up`: client to target. `down`: target to client. */
export type Direction = 'up' | 'down';

/**
 * The bytes of one connection, in one slot of a table of counters. Single writer per column, so
 * that a relay in another thread can share the memory without atomics on its hot path: the relay
 * writes `up` and `down`, the meter writes `granted`; left = granted - up - down.
 * Counts are whole numbers below 2^53 (9 PB) in a Float64Array.
 *
 * A relay in another thread also writes what the other side's socket has accepted of each direction:
 * it only grows, so that a look from here, however stale, never sees more than was delivered.
 */
export interface LeaseCells {
  readonly granted: Float64Array;
  readonly up: Float64Array;
  readonly down: Float64Array;
  readonly acceptedUp: Float64Array;
  readonly acceptedDown: Float64Array;
}

/** What the meter tells a relay. Called synchronously; must not throw. */
export interface SessionHandlers {
  /** More may be spent than before: go on reading. */
  granted(): void;
  /** Nothing more may be forwarded, ever: close both sides. */
  ended(reason: RefusalCode): void;
  /**
   * Bytes of this direction that were spent and that the other side's socket has not accepted yet
   * (what its queues still hold). They stay under the lease and are not settled, so that what
   * is refunded at close has never been billed. Without it, bytes refunded after their settlement
   * are made good by the next bytes of the same key and product.
   */
  unaccepted?(direction: Direction): number;
  /**
   * Present when another thread spends the cells: `granted` was lowered. That thread may not have
   * seen it yet; once it has, `session.acknowledged` is called, and only then is the credit taken
   * back, as far as it was not spent in between.
   */
  lowered?(): void;
}

/** Metering of one relayed connection. All methods are synchronous. */
export interface MeterSession {
  readonly keyId: bigint;
  readonly accountId: bigint;
  readonly product: Product;
  readonly cells: LeaseCells;
  readonly slot: number;
  /**
   * Spends up to `bytes` of the lease, before they are forwarded.
   * @returns how many may be forwarded now, 0 to `bytes`. When fewer, the relay holds the rest,
   *   stops reading and waits for `granted` or `ended`; the meter asks for more by itself.
   */
  spend(direction: Direction, bytes: number): number;
  /**
   * Spends all of `bytes` or nothing: for datagrams, which are passed on whole or not at all.
   * @returns whether they may be forwarded. When not, the meter asks for more by itself; if there is
   *   no credit for so many, it ends the session
   */
  spendWhole(direction: Direction, bytes: number): boolean;
  /**
   * For a relay in another thread, which spends the cells by itself: lends what makes `bytes` more
   * spendable, as far as there is credit; if there is not, `granted` or `ended` follows. With 0
   * bytes: lends ahead of need, if it can. @returns bytes that may be spent now
   */
  request(bytes: number): number;
  /** The other thread has seen the lower `granted`, and spends nothing above it any more. */
  acknowledged(): void;
  /** Gives back bytes that were spent but never accepted by the other side's socket. */
  refund(direction: Direction, bytes: number): void;
  /** Once, before the first `spend`. */
  attach(handlers: SessionHandlers): void;
  /** From now on tells of bytes when they enter the bill, about once a second and at the end; once at most. */
  follow(billed: Billed): void;
  /** Ends the session; what it spent is settled soon after. Idempotent. */
  close(): void;
}

/**
 * Hears of bytes that entered the bill; negative: they were given back.
 * @param hour start of the UTC hour they are billed in, Unix milliseconds
 */
export type Billed = (hour: number, up: number, down: number) => void;

/** A key that may use the proxy. */
export interface AuthenticatedKey {
  readonly keyId: bigint;
  readonly accountId: bigint;
  /** Lookup hash (hex) of the secret that was presented: its connections end when it is replaced. */
  readonly lookup?: string;
  /** Number of the rules of the key by which it was let in: its connections are judged anew when it has changed. */
  readonly rulesNo?: number;
  /** Its owner wants to see where its connections go. */
  readonly showTargets?: boolean;
}

/** What became of a wish to open a session. */
export type Opened = { readonly session: MeterSession } | { readonly refusal: RefusalCode };

/**
 * Opens metering for one connection: refused when the account or key has no credit left. At once
 * while the lease of the key has credit, else when the ledger has answered.
 */
export type OpenSession = (key: AuthenticatedKey, product: Product) => Opened | Promise<Opened>;
