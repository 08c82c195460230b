import { INSTANCE_TTL_MS } from '../resolvers/ledger/upkeep.ts';

/** Every bound of the meter in one place. Milliseconds, bytes or counts, as the name says. */

/** Interval of settling while somebody watches the account live, near the end of its credit, and otherwise. */
export const WATCHED_INTERVAL_MS = 400;
export const ENDING_INTERVAL_MS = 250;
export const USUAL_INTERVAL_MS = 1_000;
/** Settlements of different keys wait for the next multiple of this, so that they travel together. */
export const PASS_GRID_MS = 50;

/** How long requests for credit are collected into one call. */
export const COLLECT_MS = 5;
export const MAX_ROWS_PER_CALL = 500;
export const MAX_CALLS_IN_FLIGHT = 4;
/** An answer that takes longer counts as lost: the same row is sent again, which is harmless. */
export const CALL_TIMEOUT_MS = 5_000;
/** Waits before a failed call is repeated: after a conflict of locks, and otherwise doubling up to the last. */
export const CONFLICT_BACKOFF_MS = 20;
export const FIRST_BACKOFF_MS = 50;
export const LAST_BACKOFF_MS = 1_000;

/** Settlements of one key within any second while more than `ENDING_HORIZON_MS` of credit is left. */
export const USUAL_TICKS_PER_SECOND = 4;
/** Least distance between settlements of one key below that: twenty a second. */
export const ENDING_SPACING_MS = 50;
export const ENDING_HORIZON_MS = 2_000;

/** Least worth of a lease while traffic flows. */
export const LEAST_LEASE_BYTES = 16 << 10;
/** A lease is at most worth this much, or half a second at the present rate if that is more. */
export const MOST_LEASE_BYTES = 64 << 20;
export const MOST_LEASE_MS = 500;
/** A lease is at most this part of what is left. */
export const LEASE_SHARE = 4;
/** No lease is larger than this many nano-credits (a million credits): sums stay exact in a double. */
export const MOST_LEASE_NANO = 2 ** 50;
/** Renewal is asked for when less than this part of the lease is not lent to a connection. */
export const LOW_WATER = 0.25;
/** A renewal waits until less than this part of the lease is left unspent, lent or not: calls are few in a second. */
export const RENEW_SHARE = 4;
/** What a recalled lease keeps of its present rate. */
export const RECALLED_KEEP_MS = 175;
/** A relay in another thread lets go of credit at its next turn; a settlement waits for that at most this long. */
export const RETURN_LIMIT_MS = 100;
/** A lease without use for this long (two beats) is given back. */
export const IDLE_RELEASE_MS = 1_000;

/** Somebody else holds credit of the account: how often to ask, and for how long. */
export const CONTENDED_RETRY_MS = 100;
export const CONTENDED_LIMIT_MS = 3_000;
/** Exhausted: how long connections may take to deliver their last bytes before they are ended. */
export const LAST_BYTES_MS = 600;
/** A new connection waits at most this long for its first credit. */
export const OPEN_TIMEOUT_MS = 5_000;

export const BEAT_INTERVAL_MS = 500;
export const BEAT_TIMEOUT_MS = 2_000;
/** Others fence an instance after `INSTANCE_TTL_MS` of silence; nothing is forwarded when the last acknowledged beat was sent longer ago than this. */
export const BEAT_DEADLINE_MS = INSTANCE_TTL_MS / 2;
/** Wait before another try to register after having been fenced. */
export const REJOIN_RETRY_MS = 500;

/** Connections per block of cells. */
export const SLAB_SLOTS = 1_024;
/** Least and largest piece of a lease that is lent to one connection at a time; only the end is smaller. */
export const LEAST_PIECE_BYTES = 16 << 10;
export const MOST_PIECE_BYTES = 64 << 20;
