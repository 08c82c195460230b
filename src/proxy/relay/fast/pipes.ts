import type { Descriptors } from './descriptors.ts';
import { EINTR, EPERM, K, must, type Syscalls } from './syscalls.ts';

/** Bytes that a pipe holds: 1 MiB costs a quarter of the CPU per byte of 64 KiB. */
const SIZES = [1 << 20, 1 << 18, 1 << 16] as const;
/** Bytes that are copied at once, where pipes have run out. */
const BUFFER_BYTES = 1 << 16;

/** What carries bytes from one socket to another. Calls answer like `splice`: bytes, 0 at the end, -1 with `errno`. */
export interface Carrier {
  /** Bytes under way. */
  readonly held: number;
  /** Takes up to `most` bytes from a socket. Only when nothing is under way. */
  fill(source: number, most: number): number;
  /** Takes up to `most` bytes of a buffer. Only when nothing is under way. */
  load(bytes: Buffer, most: number): number;
  /** Passes on what is under way, as far as the target accepts it. */
  drain(target: number): number;
}

/** A pipe: bytes stay in the kernel. */
class Pipe implements Carrier {
  held = 0;
  readonly read: number;
  readonly write: number;
  readonly #calls: Syscalls;
  readonly #size: number;

  constructor(calls: Syscalls, ends: { read: number; write: number }, size: number) {
    this.#calls = calls;
    this.read = ends.read;
    this.write = ends.write;
    this.#size = size;
  }

  fill(source: number, most: number): number {
    const want = Math.min(most, this.#size);
    return this.#took(this.#calls.splice(source, null, this.write, null, want, K.SPLICE_MOVE_NONBLOCK));
  }

  load(bytes: Buffer, most: number): number {
    return this.#took(this.#calls.write(this.write, bytes, Math.min(most, bytes.length)));
  }

  drain(target: number): number {
    const count = this.#calls.splice(this.read, null, target, null, this.held, K.SPLICE_MOVE_NONBLOCK);
    if (count > 0) this.held -= count;
    return count;
  }

  #took(count: number): number {
    if (count > 0) this.held = count;
    return count;
  }
}

/** What all copiers of a worker copy through. */
interface Desk {
  readonly bytes: Buffer;
  /** Who has just laid all that it holds there. */
  user: Copier | undefined;
}

/**
 * When pipes have run out: dearer per byte, and never refused. It looks at the bytes, and takes from the source only
 * what the target has accepted: however many targets stall, their bytes wait in the kernel and not here.
 */
class Copier implements Carrier {
  held = 0;
  readonly #calls: Syscalls;
  readonly #desk: Desk;
  #source = -1;
  /** Bytes that come from no socket. */
  #loaded: Buffer | undefined;

  constructor(calls: Syscalls, desk: Desk) {
    this.#calls = calls;
    this.#desk = desk;
  }

  fill(source: number, most: number): number {
    this.#source = source;
    const count = this.#look(Math.min(most, BUFFER_BYTES));
    this.#desk.user = count > 0 ? this : undefined;
    if (count > 0) this.held = count;
    return count;
  }

  load(bytes: Buffer, most: number): number {
    this.#loaded = bytes.subarray(0, most);
    this.held = this.#loaded.length;
    return this.held;
  }

  drain(target: number): number {
    const bytes = this.#loaded ?? this.#waiting();
    if (bytes === undefined) return -1;
    const count = this.#calls.send(target, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL);
    if (count <= 0) return count;
    this.held -= count;
    if (this.#loaded === undefined) this.#drop(count);
    else this.#loaded = this.held > 0 ? this.#loaded.subarray(count) : undefined;
    return count;
  }

  /** @returns undefined when they are gone, with `errno` */
  #waiting(): Buffer | undefined {
    const { bytes, user } = this.#desk;
    this.#desk.user = undefined;
    const count = user === this ? this.held : this.#look(this.held);
    return count > 0 ? bytes.subarray(0, count) : undefined;
  }

  #look(most: number): number {
    return this.#calls.recv(this.#source, this.#desk.bytes, most, K.MSG_PEEK | K.MSG_DONTWAIT);
  }

  /** Takes what was passed on from the source, without another copy of it (tcp(7), `MSG_TRUNC`). */
  #drop(count: number): void {
    const { bytes } = this.#desk;
    for (let left = count; left > 0;) {
      const dropped = this.#calls.recv(this.#source, bytes, left, K.MSG_TRUNC | K.MSG_DONTWAIT);
      // Nothing is left there: nothing can be passed on twice.
      if (dropped === 0 || (dropped < 0 && this.#calls.errno() !== EINTR)) return;
      if (dropped > 0) left -= dropped;
    }
  }
}

/** Carriers, each lent to one direction of a tunnel while bytes are in flight: pipes first, then copies. */
export class CarrierPool {
  readonly #calls: Syscalls;
  readonly #descriptors: Descriptors;
  readonly #maxPipes: number;
  readonly #pipes: Pipe[] = [];
  readonly #desk: Desk = { bytes: Buffer.allocUnsafeSlow(BUFFER_BYTES), user: undefined };
  readonly #ends = new Int32Array(2);
  #open = 0;
  /** Users who are not root get so many large pipes (pipe(7), `pipe-user-pages-soft`), then small ones. */
  #wish = 0;

  /** @param maxPipes at two descriptors each */
  constructor(calls: Syscalls, descriptors: Descriptors, maxPipes: number) {
    this.#calls = calls;
    this.#descriptors = descriptors;
    this.#maxPipes = maxPipes;
  }

  take(): Carrier {
    return this.#pipes.pop() ?? this.#newPipe() ?? new Copier(this.#calls, this.#desk);
  }

  /** Takes a carrier back. A pipe that still holds bytes is closed: nobody else may ever read them. */
  give(carrier: Carrier): void {
    if (!(carrier instanceof Pipe)) return;
    if (carrier.held === 0) this.#pipes.push(carrier);
    else {
      this.#descriptors.close(carrier.read);
      this.#descriptors.close(carrier.write);
      this.#open--;
    }
  }

  /** @returns undefined when there are enough, or the system gives no more */
  #newPipe(): Pipe | undefined {
    if (this.#open >= this.#maxPipes || this.#calls.pipe2(this.#ends, K.NONBLOCK | K.CLOEXEC) < 0) return undefined;
    const [read = -1, write = -1] = this.#ends;
    this.#descriptors.add(read);
    this.#descriptors.add(write);
    this.#open++;
    return new Pipe(this.#calls, { read, write }, this.#enlarge(write));
  }

  #enlarge(fd: number): number {
    for (; this.#wish < SIZES.length; this.#wish++) {
      const size = this.#calls.fcntl(fd, K.F_SETPIPE_SZ, SIZES[this.#wish] ?? 0);
      if (size > 0) return size;
      if (this.#calls.errno() !== EPERM) break;
    }
    return must(this.#calls, 'fcntl', this.#calls.fcntl(fd, K.F_GETPIPE_SZ, 0));
  }
}
