import { RESUME_SHARE } from '../../limits.ts';
import { decodeAddress, SOCKADDR_BYTES } from './address.ts';
import type { Descriptors } from './descriptors.ts';
import { FIGURE, type SharedMemory } from './messages.ts';
import type { Poller } from './poller.ts';
import { EMFILE, ENFILE, K, type Syscalls } from './syscalls.ts';

/** Connections accepted before others have their turn. */
const BATCH = 64;
/** Milliseconds until the next attempt when the system has no more descriptors. */
const RETRY_MS = 1_000;

/** A client that was accepted. */
export interface Accepted {
  readonly fd: number;
  readonly address: string;
  /** Index of the listener. */
  readonly product: number;
}

export interface AcceptorOptions {
  readonly calls: Syscalls;
  readonly descriptors: Descriptors;
  readonly poller: Poller;
  readonly listeners: readonly number[];
  readonly shared: SharedMemory;
  readonly maxConnections: number;
  readonly accepted: (client: Accepted) => void;
}

/** Accepts while there is room. Beyond the limit clients wait in the kernel's queue, at no cost. */
export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #address = Buffer.alloc(SOCKADDR_BYTES);
  readonly #bytes = new Uint32Array(1);
  #listening = false;
  #retryAt = 0;
  #stopped = false;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#listen();
  }

  /** A client waits at this listener. */
  ready(product: number, now: number): void {
    const { calls, descriptors, listeners, shared, accepted } = this.#options;
    for (let count = 0; count < BATCH && this.#listening; count++) {
      if (this.#full(1)) return this.#pause(now);
      this.#bytes[0] = SOCKADDR_BYTES;
      const fd = calls.accept4(listeners[product] ?? -1, this.#address, this.#bytes, K.NONBLOCK | K.CLOEXEC);
      if (fd < 0) {
        const errno = calls.errno();
        if (errno === EMFILE || errno === ENFILE) this.#pause(now + RETRY_MS);
        return;
      }
      descriptors.add(fd);
      Atomics.add(shared.open, shared.index, 1);
      Atomics.add(shared.figures, FIGURE.ACCEPTED, 1);
      accepted({ fd, address: decodeAddress(this.#address).address, product });
    }
  }

  /** Once in a turn: pauses, or accepts again when there is room. */
  check(now: number): void {
    if (this.#stopped) return;
    if (this.#listening && this.#full(1)) this.#pause(now);
    else if (!this.#listening && now >= this.#retryAt && !this.#full(RESUME_SHARE)) this.#listen();
  }

  /** Accepts nothing more. */
  stop(): void {
    this.#stopped = true;
    if (this.#listening) this.#ignore();
  }

  #full(share: number): boolean {
    const { shared, maxConnections } = this.#options;
    let open = 0;
    for (const [index] of shared.open.entries()) open += Atomics.load(shared.open, index);
    return open >= Math.ceil(maxConnections * share);
  }

  #listen(): void {
    this.#listening = true;
    this.#options.listeners.forEach((fd, product) => this.#options.poller.watchSpecial(fd, product));
    Atomics.store(this.#options.shared.figures, FIGURE.PAUSED, 0);
  }

  #pause(retryAt: number): void {
    this.#retryAt = retryAt;
    this.#ignore();
    Atomics.store(this.#options.shared.figures, FIGURE.PAUSED, 1);
  }

  #ignore(): void {
    this.#listening = false;
    for (const fd of this.#options.listeners) this.#options.poller.ignore(fd);
  }
}
