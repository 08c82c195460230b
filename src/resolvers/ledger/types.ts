import type { AccountEvent } from '../../events.ts';
import type { Product } from '../../units.ts';

/** Bytes of one key and product that flowed in one UTC hour, since the last settlement. */
export interface TickLine {
  readonly keyId: bigint;
  readonly product: Product;
  readonly hour: Date;
  readonly up: bigint;
  readonly down: bigint;
}

/** One lease to settle and renew. */
export interface TickRequest {
  readonly keyId: bigint;
  /** Number of this settlement: the last acknowledged one + 1. The first is 1. */
  readonly seq: bigint;
  /** Unspent nano-credits the instance wishes to hold after this settlement. */
  readonly want: bigint;
}

/** Why a lease got less than it asked for. SHARE: limited by the chunk rule, ask again. */
export type GrantReason =
  | 'BALANCE'
  | 'ACCOUNT_DAY'
  | 'ACCOUNT_WEEK'
  | 'ACCOUNT_MONTH'
  | 'KEY_DAY'
  | 'KEY_WEEK'
  | 'KEY_MONTH'
  | 'KEY_REVOKED'
  | 'ACCOUNT_SUSPENDED'
  | 'SHARE';

export interface TickAnswer {
  readonly keyId: bigint;
  /** APPLIED; REPLAY: seen before, state only; REFUSED: gap in seq, or lines above the reservation; UNKNOWN_KEY. */
  readonly outcome: 'APPLIED' | 'REPLAY' | 'REFUSED' | 'UNKNOWN_KEY';
  /** Cumulative nano-credits lent to this instance for this key. */
  readonly granted: bigint;
  /** Cumulative nano-credits settled. */
  readonly spent: bigint;
  /** Sequence of the last settlement applied. */
  readonly seq: bigint;
  /**
   * null: got all it asked for. KEY_REVOKED and ACCOUNT_SUSPENDED are told whatever it asked for; that a limit
   * was lowered below what is used shows in `left` when nothing is asked for.
   */
  readonly reason: GrantReason | null;
  /** Somebody else holds unspent credit of this account, and has been asked to give it back. */
  readonly contended: boolean;
  /** Least of balance and windows of account and key, reservations subtracted, after this tick: size `want` by it. */
  readonly left: bigint;
}

export interface TickResult {
  /** The instance was fenced: nothing was applied; close everything and start again under a new id. */
  readonly fenced: boolean;
  /** Database clock. */
  readonly now: Date;
  readonly answers: readonly TickAnswer[];
  /** New events of the usage streams, ascending per account. Publish after commit. */
  readonly events: readonly AccountEvent[];
}

export interface BeatResult {
  readonly fenced: boolean;
  readonly now: Date;
  /** Keys whose leases somebody else waits for, or whose terms changed. */
  readonly recalled: readonly bigint[];
}
