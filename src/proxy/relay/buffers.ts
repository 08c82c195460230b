import type { Socket } from 'node:net';

import { handleOf, readInto } from './handle.ts';

/** What an idle connection holds: taken from Node's shared slabs. */
const SMALL_BYTES = 2_048;
/** What a busy one reads into: a quarter of the CPU per byte of 16 KiB reads. */
const LARGE_BYTES = 262_144;
/** Large buffers in use at once (128 MiB); the downloads beyond go on in small ones. */
const MAX_LARGE = 512;
/** Large buffers kept for the next ones that need them (16 MiB). */
const MAX_SPARE = 64;
/** A read below this is not worth a large buffer. */
const WORTHWHILE_BYTES = LARGE_BYTES / 8;
/** A download that has read nothing for one to two of these gives its large buffer back. */
const SWEEP_MS = 1_000;

/** The read buffer of one socket: small until a read fills it, large while reads are. */
export class ReadBuffer {
  bytes: Buffer = Buffer.allocUnsafe(SMALL_BYTES);
  /** Whether it was read into since the last sweep. */
  used = false;
  /** Holds bytes that were read and are not yet passed on. */
  busy = false;
  readonly #small = this.bytes;
  readonly #pool: BufferPool;
  #socket: Socket | undefined;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  bind(socket: Socket): void {
    this.#socket = socket;
  }

  /** The buffer of the next read, given the size of the last one. */
  next(lastBytes: number): Buffer {
    if (this.busy) return this.bytes;
    this.used = true;
    const isSmall = this.bytes === this.#small;
    if (isSmall && lastBytes === SMALL_BYTES) this.bytes = this.#pool.take(this) ?? this.#small;
    else if (!isSmall && lastBytes < WORTHWHILE_BYTES) this.release();
    return this.bytes;
  }

  /** Back to the small buffer; the socket must not read into the large one any more. */
  release(): void {
    if (this.bytes === this.#small) return;
    this.#pool.give(this, this.bytes);
    this.bytes = this.#small;
  }

  /** Takes the large buffer away between two reads. */
  shrink(): void {
    if (this.#socket !== undefined && readInto(handleOf(this.#socket), this.#small)) this.release();
  }
}

/** Large read buffers, shared by the downloads of one relay. */
export class BufferPool {
  readonly #spare: Buffer[] = [];
  readonly #holders = new Set<ReadBuffer>();
  #sweeper: NodeJS.Timeout | undefined;

  /** Large buffers that somebody reads into. */
  get inUse(): number {
    return this.#holders.size;
  }

  take(holder: ReadBuffer): Buffer | undefined {
    if (this.#holders.size >= MAX_LARGE) return undefined;
    this.#holders.add(holder);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  }

  give(holder: ReadBuffer, buffer: Buffer): void {
    this.#holders.delete(holder);
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }

  #sweep(): void {
    for (const holder of this.#holders) {
      if (!holder.used && !holder.busy) holder.shrink();
      holder.used = false;
    }
    if (this.#holders.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    this.#spare.length = 0;
  }
}
