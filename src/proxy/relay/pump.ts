import type { Socket } from 'node:net';

import type { Direction, MeterSession } from '../../metering/session.ts';
import { handleOf, unaccepted } from './handle.ts';

/**
 * One direction of a tunnel. At most one chunk is in flight: the source is read again when the
 * destination's kernel has accepted all of the last one. A chunk that the lease does not cover
 * is passed on as far as it goes, and the rest held until more is granted.
 */
export class Pump {
  readonly #direction: Direction;
  readonly #session: MeterSession;
  readonly #target: Socket;
  readonly #handle: ReturnType<typeof handleOf>;
  readonly #resume: () => void;
  readonly #written = (error?: Error | null): void => {
    if (error) this.#failed = true;
    else this.#proceed();
  };
  /** Read and not yet spent. */
  #held: Buffer | undefined;
  /** A write is in flight: the source is not read. */
  #writing = false;
  /** Bytes of that write which, when last looked, the kernel had not accepted. */
  #pending = 0;
  /** The last write failed: its queue is empty because it was thrown away, not because it was accepted. */
  #failed = false;
  #sourceEnded = false;
  #stopped = false;

  /** @param resume goes on reading the source, after `receive` returned false */
  constructor(direction: Direction, session: MeterSession, target: Socket, resume: () => void) {
    this.#direction = direction;
    this.#session = session;
    this.#target = target;
    this.#handle = handleOf(target);
    this.#resume = resume;
  }

  /**
   * Takes a chunk from the source. @returns true when all of it was passed on; false when the
   * source must not be read, and the chunk not be overwritten, until `resume` is called
   */
  receive(chunk: Buffer): boolean {
    const granted = this.#session.spend(this.#direction, chunk.length);
    if (this.#stopped) {
      // The meter ended the session while it was asked.
      if (granted > 0) this.#session.refund(this.#direction, granted);
      return false;
    }
    this.#held = granted === chunk.length ? undefined : chunk.subarray(granted);
    if (granted > 0) this.#write(granted === chunk.length ? chunk : chunk.subarray(0, granted));
    return this.#held === undefined && !this.#writing;
  }

  /** Bytes spent that the kernel of the other side has not accepted yet. */
  get unaccepted(): number {
    if (!this.#writing || this.#stopped) return 0;
    // Remembered: when the write fails later, no more is given back than was still open here.
    if (!this.#failed) this.#pending = unaccepted(this.#handle, this.#pending);
    return this.#pending;
  }

  /** More may be spent. */
  granted(): void {
    if (this.#held !== undefined) this.#proceed();
  }

  /** The source has sent its end; it is passed on behind the bytes still in flight. */
  end(): void {
    this.#sourceEnded = true;
    if (this.#held === undefined && !this.#writing) this.#target.end();
  }

  /** Forwards nothing more, and gives back what the target never accepted. Before the sockets are destroyed. */
  stop(): void {
    if (this.#stopped) return;
    const lost = this.unaccepted;
    this.#stopped = true;
    this.#held = undefined;
    if (lost > 0) this.#session.refund(this.#direction, lost);
  }

  #write(part: Buffer): void {
    this.#target.write(part, this.#written);
    this.#failed = this.#target.errored !== null || this.#target.destroyed;
    this.#writing = this.#failed || this.#target.writableLength > 0;
    if (this.#writing) this.#pending = this.#failed ? part.length : unaccepted(this.#handle, part.length);
  }

  /** The last write is done, or more was granted: on with what is held, or with reading. */
  #proceed(): void {
    if (this.#stopped || (!this.#writing && this.#held === undefined)) return;
    if (this.#target.writableLength > 0 || this.#failed) return;
    this.#writing = false;
    const held = this.#held;
    if (held !== undefined && !this.receive(held)) return;
    if (this.#sourceEnded) this.#target.end();
    else this.#resume();
  }
}
