import type { RefusalCode } from '../../../errors.ts';
import type { LeaseCells } from '../../../metering/session.ts';
import type { Verdict } from '../../answers.ts';
import type { Setback } from '../../exits/exit.ts';
import type { Attempt } from '../../exits/journey.ts';

/**
 * What the main thread and a relay worker tell each other, many at a time. Tuples, because a
 * connection costs several of them and the names of an object's fields would be copied each time.
 * `id` names a connection of that worker, and no other one ever after.
 */

/** What the fast relay sells; the index is how a worker calls it. */
export const FAST_PRODUCTS = ['SHARED', 'DEDICATED'] as const;

/** Worker → main thread. */
export type Report =
  /** A username that is not known here to be good. */
  | readonly [kind: 'AUTHENTICATE', id: number, username: string, clientAddress: string, product: number]
  /** A complete request. */
  | readonly [
      kind: 'OPEN',
      id: number,
      username: string,
      clientAddress: string,
      product: number,
      host: string,
      port: number,
      /** HTTP CONNECT, not SOCKS5. */
      http: boolean,
    ]
  /** The same for datagrams; `host` and `port` are where the client will send from, `local` where it reached us. */
  | readonly [
      kind: 'ASSOCIATE',
      id: number,
      username: string,
      clientAddress: string,
      product: number,
      host: string,
      port: number,
      local: string,
    ]
  /** The attempt succeeded: the tunnel runs. */
  | readonly [kind: 'OPENED', id: number]
  | readonly [kind: 'FAILED', id: number, setback: Setback]
  /** The lease runs low (0 bytes), or nothing is left while so many bytes may wait. */
  | readonly [kind: 'WANT', id: number, bytes: number]
  /** The lower `granted` has been seen; nothing above it will be spent. */
  | readonly [kind: 'ACKNOWLEDGED', id: number]
  /** Both sides are closed, and the cells will not be touched again. Only of what was reported before. */
  | readonly [kind: 'CLOSED', id: number, relayed: boolean]
  /** Refused without a key. */
  | readonly [kind: 'REFUSED', code: RefusalCode];

/** Main thread → worker. */
export type Order =
  /** The key is good; `lasting`: it may be believed a while for others who present it. */
  | readonly [kind: 'AUTHENTICATED', id: number, lasting: boolean]
  | readonly [kind: 'DENIED', id: number]
  /** A block of cells that connections will lie in. */
  | readonly [kind: 'SLAB', slab: number, cells: LeaseCells]
  /** Carry the attempt out, and relay if it succeeds. */
  | readonly [kind: 'DIAL', id: number, slab: number, slot: number, attempt: RemoteAttempt]
  /** Datagrams are relayed from here: keep the connection until it ends, and end it with the association. */
  | readonly [kind: 'ASSOCIATED', id: number, address: string, port: number]
  | readonly [kind: 'REFUSE', id: number, verdict: Verdict]
  /** More may be spent than before. */
  | readonly [kind: 'GRANTED', id: number]
  /** `granted` is lower than before. */
  | readonly [kind: 'LOWERED', id: number]
  /** Cut both sides at once. */
  | readonly [kind: 'ABORT', id: number]
  /** A key that was good may not be good any more. */
  | readonly [kind: 'FORGET']
  /** Accept nothing more, let tunnels end, and then end. */
  | readonly [kind: 'DRAIN']
  /** Cut all that is left. */
  | readonly [kind: 'ABORT_ALL'];

/** An attempt of which a worker has nothing to look up. */
export interface RemoteAttempt extends Attempt {
  /** Of the upstream proxy, when the exit is one. */
  readonly upstreamAddresses: readonly string[];
}

/** What a worker is started with. */
export interface WorkerStart {
  /** Its listening sockets, in the order of `FAST_PRODUCTS`. */
  readonly listeners: readonly number[];
  readonly shared: SharedMemory;
  /** An eventfd: writing to it wakes the worker. It belongs to the main thread, which may ring to the last. */
  readonly bell: number;
  /** Connections that all workers together may have. */
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly maxPipes: number;
  /** Batches of orders posted to workers before this one. */
  readonly posted: number;
}

/** Memory that the main thread shares with a worker. */
export interface SharedMemory {
  /** Of this worker; `FIGURE` gives the places. */
  readonly figures: Int32Array;
  /** Open connections of each worker, written by itself: the limit is one for all. */
  readonly open: Int32Array;
  /** Place of this worker in `open`. */
  readonly index: number;
  /** One cell: when nothing may be forwarded any more, in milliseconds of `systemClock`; it may move on. */
  readonly forwardUntil: Float64Array;
  /** What the worker has to close; it outlives the thread. */
  readonly descriptors: SharedArrayBuffer;
}

/** Places in `figures`. Counts wrap around, and go on when a worker is replaced; only differences are looked at. */
export const FIGURE = {
  /** Accepted so far. */
  ACCEPTED: 0,
  /** Closed again before the main thread heard of them. */
  VANISHED: 1,
  /** Tunnels begun. */
  RELAYED: 2,
  /** 1 while nothing is accepted because there are too many. */
  PAUSED: 3,
  /** 1 while the worker sleeps and has to be woken. */
  ASLEEP: 4,
  /** Batches of orders posted. */
  POSTED: 5,
  /** Turns of the loop begun: at least two a second. */
  TURNS: 6,
} as const;
export const FIGURES = 7;
