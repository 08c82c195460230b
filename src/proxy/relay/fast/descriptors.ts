import { K, type Syscalls } from './syscalls.ts';

/** Descriptors that can be told apart; Linux gives the lowest free number. */
const MOST = 1 << 20;
const BITS = 32;
/** `struct linger`: on, for 0 seconds. */
export const RESET = Int32Array.of(1, 0);

/** Bytes of shared memory that the set of a worker's descriptors takes. */
export const DESCRIPTOR_BYTES = MOST / 8;

/**
 * Descriptors that a relay worker has opened. They belong to the process and outlive the thread,
 * so the set lies in shared memory: whoever finds the worker dead closes them.
 */
export class Descriptors {
  readonly #calls: Syscalls;
  readonly #open: Int32Array;

  constructor(calls: Syscalls, memory: SharedArrayBuffer) {
    this.#calls = calls;
    this.#open = new Int32Array(memory);
  }

  /** Takes a descriptor that was just opened. */
  add(fd: number): number {
    if (fd >= 0 && fd < MOST) this.#open[fd >>> 5] = this.#word(fd) | (1 << (fd % BITS));
    return fd;
  }

  close(fd: number): void {
    // First out of the set: a number that was closed may be somebody else's at once.
    if (fd < MOST) this.#open[fd >>> 5] = this.#word(fd) & ~(1 << (fd % BITS));
    this.#calls.close(fd);
  }

  /** Closes everything, sockets with a reset: what is cut off must not look like a regular end. */
  closeAll(): void {
    for (let index = 0; index < this.#open.length; index++) {
      if (this.#open[index] === 0) continue;
      for (let bit = 0; bit < BITS; bit++) if (this.has(index * BITS + bit)) this.#reset(index * BITS + bit);
    }
  }

  has(fd: number): boolean {
    return (this.#word(fd) & (1 << (fd % BITS))) !== 0;
  }

  #reset(fd: number): void {
    // Does nothing to what is no socket.
    this.#calls.setsockopt(fd, K.SOL_SOCKET, K.SO_LINGER, RESET, RESET.byteLength);
    this.close(fd);
  }

  #word(fd: number): number {
    return this.#open[fd >>> 5] ?? 0;
  }
}
