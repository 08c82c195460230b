import type { Descriptors } from './descriptors.ts';
import { EPERM, K, must, type Syscalls } from './syscalls.ts';

/** Bytes that a pipe holds: 1 MiB costs a quarter of the CPU per byte of 64 KiB. */
const SIZES = [1 << 20, 1 << 18, 1 << 16] as const;
/** Bytes that a buffer holds, where pipes have run out. */
const BUFFER_BYTES = 1 << 16;
/** Buffers kept for the next transfers. */
const MAX_SPARE_BUFFERS = 64;

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

/** A buffer of this process, when descriptors are scarce: dearer per byte, and never refused. */
class Copier implements Carrier {
  held = 0;
  readonly #calls: Syscalls;
  readonly #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #start = 0;

  constructor(calls: Syscalls) {
    this.#calls = calls;
  }

  fill(source: number, most: number): number {
    return this.#took(this.#calls.recv(source, this.#bytes, Math.min(most, BUFFER_BYTES), K.MSG_DONTWAIT));
  }

  load(bytes: Buffer, most: number): number {
    return this.#took(bytes.copy(this.#bytes, 0, 0, Math.min(most, bytes.length)));
  }

  drain(target: number): number {
    const bytes = this.#bytes.subarray(this.#start, this.#start + this.held);
    const count = this.#calls.send(target, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL);
    if (count > 0) {
      this.held -= count;
      this.#start += count;
    }
    return count;
  }

  discard(): void {
    this.held = 0;
  }

  #took(count: number): number {
    this.#start = 0;
    if (count > 0) this.held = count;
    return count;
  }
}

/** Carriers, each lent to one direction of a tunnel while bytes are in flight: pipes first, then buffers. */
export class CarrierPool {
  readonly #calls: Syscalls;
  readonly #descriptors: Descriptors;
  readonly #maxPipes: number;
  readonly #pipes: Pipe[] = [];
  readonly #copiers: Copier[] = [];
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
    return this.#pipes.pop() ?? this.#newPipe() ?? this.#copiers.pop() ?? new Copier(this.#calls);
  }

  /** Takes a carrier back. A pipe that still holds bytes is closed: nobody else may ever read them. */
  give(carrier: Carrier): void {
    if (carrier instanceof Copier) {
      carrier.discard();
      if (this.#copiers.length < MAX_SPARE_BUFFERS) this.#copiers.push(carrier);
    } else if (carrier instanceof Pipe && carrier.held === 0) {
      this.#pipes.push(carrier);
    } else if (carrier instanceof Pipe) {
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
