import type { Lease } from './lease.ts';
import type { Carrier, CarrierPool } from './pipes.ts';
import { EAGAIN, EINTR, K, type Syscalls } from './syscalls.ts';

/** Transfers that a direction may make before others have their turn. */
const ROUNDS = 4;

/** One socket of a tunnel, as edge-triggered events and failed attempts have shown it. */
export interface End {
  readonly fd: number;
  readable: boolean;
  writable: boolean;
}

/** What the flows of a worker share. */
export interface FlowTools {
  readonly calls: Syscalls;
  readonly carriers: CarrierPool;
  /** For a look at what waits. */
  readonly scratch: Buffer;
  /** Flows whose target took nothing more. */
  readonly blocked: { add(flow: Flow): void };
}

/** What a flow needs of the meter: cells that only it writes. */
export interface FlowCells {
  readonly spent: Float64Array;
  /** What the target's kernel has accepted of it: that is billed. */
  readonly accepted: Float64Array;
}

/** Whom a flow belongs to: pumps it when its turn comes. */
export interface FlowOwner {
  pump(flow: Flow): void;
}

/**
 * `WAITING`: until an event or credit. `AGAIN`: there may be more to do. `DRY`: bytes wait, and
 * credit is wanted for them. `ENDED`: the end was passed on. `FAILED`: cut the tunnel.
 */
export type Outcome = 'WAITING' | 'AGAIN' | 'DRY' | 'ENDED' | 'FAILED';

/**
 * One direction of a tunnel. Bytes go from the source into a pipe and from there to the target,
 * without passing through this process; at most one pipe is in flight, which is all the
 * buffering there is. A byte is spent when it enters the pipe, before it is passed on.
 */
export class Flow {
  readonly source: End;
  readonly target: End;
  ended = false;
  /** Bytes moved during the last `pump`. */
  moved = false;
  /** Waits its turn among those that have more to do. */
  queued = false;
  /** Only for `Blocked`. */
  listed = false;
  readonly owner: FlowOwner;
  readonly #tools: FlowTools;
  readonly #cells: FlowCells;
  readonly #lease: Lease;
  /** Bytes received before the tunnel began: they go first. */
  #early: Buffer | undefined;
  #carrier: Carrier | undefined;
  #sourceEnded = false;

  constructor(
    owner: FlowOwner,
    tools: FlowTools,
    ends: { readonly source: End; readonly target: End },
    lease: Lease,
    cells: FlowCells,
  ) {
    this.owner = owner;
    this.#tools = tools;
    this.source = ends.source;
    this.target = ends.target;
    this.#lease = lease;
    this.#cells = cells;
  }

  /** @param ended nothing comes behind the early bytes */
  begin(early: Buffer, ended: boolean): void {
    if (early.length > 0) this.#early = early;
    this.#sourceEnded = ended;
  }

  /** Moves what can be moved now. */
  pump(): Outcome {
    this.moved = false;
    let outcome: Outcome = 'AGAIN';
    for (let round = 0; round < ROUNDS && outcome === 'AGAIN'; round++) outcome = this.#round();
    if (outcome !== 'AGAIN' && this.#carrier?.held === 0) this.release();
    return outcome;
  }

  /** Bytes are under way that the target does not take. */
  get blocked(): boolean {
    return this.#carrier !== undefined && this.#carrier.held > 0 && !this.target.writable;
  }

  /** Gives the carrier back; what it still holds is lost. */
  release(): void {
    if (this.#carrier === undefined) return;
    this.#tools.carriers.give(this.#carrier);
    this.#carrier = undefined;
  }

  #round(): Outcome {
    if (this.#carrier !== undefined && this.#carrier.held > 0) return this.#deliver(this.#carrier);
    if (this.#early === undefined && this.#sourceEnded) return this.#passEnd();
    if (this.#early === undefined && !this.source.readable) return 'WAITING';
    const { left } = this.#lease;
    if (left <= 0) return this.#early === undefined ? this.#look() : 'DRY';
    this.#carrier ??= this.#tools.carriers.take();
    return this.#early === undefined ? this.#take(this.#carrier, left) : this.#takeEarly(this.#carrier, left);
  }

  #deliver(carrier: Carrier): Outcome {
    if (!this.target.writable) return 'WAITING';
    const count = carrier.drain(this.target.fd);
    if (count < 0) {
      const errno = this.#tools.calls.errno();
      if (errno === EINTR) return 'AGAIN';
      if (errno !== EAGAIN) return 'FAILED';
      this.target.writable = false;
      this.#tools.blocked.add(this);
      return 'WAITING';
    }
    this.#add(this.#cells.accepted, count);
    return 'AGAIN';
  }

  #take(carrier: Carrier, left: number): Outcome {
    const count = carrier.fill(this.source.fd, left);
    return count > 0 ? this.#taken(carrier, count) : this.#nothing(count);
  }

  #takeEarly(carrier: Carrier, left: number): Outcome {
    const early = this.#early ?? EMPTY;
    const count = carrier.load(early, left);
    if (count <= 0) return 'FAILED';
    this.#early = count < early.length ? early.subarray(count) : undefined;
    return this.#taken(carrier, count);
  }

  /** Bytes were taken: spent, and passed on at once where the target has room. */
  #taken(carrier: Carrier, count: number): Outcome {
    this.#add(this.#cells.spent, count);
    return this.#deliver(carrier);
  }

  /** Without credit: whether bytes wait at all. An end is passed on for nothing. */
  #look(): Outcome {
    const { calls, scratch } = this.#tools;
    const count = calls.recv(this.source.fd, scratch, 1, K.MSG_PEEK | K.MSG_DONTWAIT);
    return count > 0 ? 'DRY' : this.#nothing(count);
  }

  #nothing(count: number): Outcome {
    if (count === 0) {
      this.#sourceEnded = true;
      return 'AGAIN';
    }
    const errno = this.#tools.calls.errno();
    if (errno === EINTR) return 'AGAIN';
    if (errno !== EAGAIN) return 'FAILED';
    this.source.readable = false;
    return 'WAITING';
  }

  #passEnd(): Outcome {
    this.ended = true;
    this.#tools.calls.shutdown(this.target.fd, K.SHUT_WR);
    return 'ENDED';
  }

  #add(cells: Float64Array, count: number): void {
    this.moved = true;
    cells[this.#lease.slot] = (cells[this.#lease.slot] ?? 0) + count;
  }
}

const EMPTY = Buffer.alloc(0);
