import { epollLayout, K, loadSyscalls, must } from '../../../src/proxy/relay/fast/syscalls.ts';

/** Reads and drops within the kernel: `recv` copies nothing (tcp(7), `MSG_TRUNC`). */
const MSG_TRUNC = 0x20;
const EPOLL_CTL_MOD = 3;
const MOST_EVENTS = 256;
const ZERO_LINGER = Int32Array.of(1, 0);

/**
 * The ends of the benches' connections, by system calls: a client or a source on Node's sockets would cost more CPU
 * than the proxies do, and on a machine with two cores they would take it from each other.
 */
export const calls = loadSyscalls();

export const IN = K.EPOLLIN;
export const OUT = K.EPOLLOUT;

/** Called for every event of a descriptor, which is level-triggered. */
export type OnEvent = (bits: number) => void;

/** One epoll instance for a process that does nothing else. */
export class Events {
  readonly #fd = must(calls, 'epoll_create1', calls.epoll_create1(K.CLOEXEC));
  readonly #layout = epollLayout();
  readonly #events = Buffer.alloc(MOST_EVENTS * this.#layout.bytes);
  readonly #event = Buffer.alloc(this.#layout.bytes);
  readonly #listeners = new Map<number, OnEvent>();

  watch(fd: number, bits: number, listener: OnEvent): void {
    this.#control(K.EPOLL_CTL_ADD, fd, bits);
    this.#listeners.set(fd, listener);
  }

  /** From now on for these events instead. */
  change(fd: number, bits: number): void {
    this.#control(EPOLL_CTL_MOD, fd, bits);
  }

  /** With a reset, so that no port waits for stragglers. */
  close(fd: number): void {
    this.#listeners.delete(fd);
    calls.setsockopt(fd, K.SOL_SOCKET, K.SO_LINGER, ZERO_LINGER, 8);
    calls.close(fd);
  }

  /** Takes events for so long at most. */
  turn(timeoutMs: number): void {
    const { bytes, data } = this.#layout;
    const count = calls.epoll_wait(this.#fd, this.#events, MOST_EVENTS, timeoutMs);
    for (let at = 0; at < count * bytes; at += bytes) {
      this.#listeners.get(this.#events.readUInt32LE(at + data))?.(this.#events.readInt32LE(at));
    }
  }

  #control(operation: number, fd: number, bits: number): void {
    this.#event.writeInt32LE(bits, 0);
    this.#event.writeUInt32LE(fd, this.#layout.data);
    must(calls, 'epoll_ctl', calls.epoll_ctl(this.#fd, operation, fd, this.#event));
  }
}

const DROPPED = Buffer.allocUnsafeSlow(1 << 20);

/** Bytes dropped unseen, 0 at the end, -1 when there are none or it failed. */
export function drop(fd: number): number {
  return calls.recv(fd, DROPPED, DROPPED.length, K.MSG_DONTWAIT | MSG_TRUNC);
}

/** Bytes read, 0 at the end, -1 when there are none or it failed. */
export function read(fd: number, into: Buffer): number {
  return calls.recv(fd, into, into.length, K.MSG_DONTWAIT);
}

/** Bytes that the kernel took, -1 when it took none. */
export function send(fd: number, bytes: Uint8Array): number {
  return calls.send(fd, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL);
}
