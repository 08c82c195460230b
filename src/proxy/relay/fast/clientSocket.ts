import { decodeAddress, SOCKADDR_BYTES } from './address.ts';
import { RESET } from './descriptors.ts';
import type { End } from './flow.ts';
import type { Hub } from './hub.ts';
import { EAGAIN, EINTR, K } from './syscalls.ts';

/** Reads of what nobody wants before others have their turn. */
const MAX_SWALLOWS = 64;

const NOTHING = Buffer.alloc(0);

/** What a read came to. */
export type Received = 'MORE' | 'NOTHING' | 'FAILED';

/** A client's socket until its tunnel begins: what it sent, and short answers. */
export class ClientSocket implements End {
  readonly fd: number;
  readable = true;
  writable = true;
  /** Received and not taken. */
  waiting: Buffer = NOTHING;
  /** The client has sent all it will send. */
  ended = false;
  readonly #hub: Hub;

  constructor(hub: Hub, fd: number) {
    this.#hub = hub;
    this.fd = fd;
  }

  receive(): Received {
    const { calls, scratch } = this.#hub;
    const count = calls.recv(this.fd, scratch, scratch.length, K.MSG_DONTWAIT);
    if (count > 0) {
      const chunk = scratch.subarray(0, count);
      this.waiting = this.waiting.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.waiting, chunk]);
      return 'MORE';
    }
    if (count === 0) {
      this.ended = true;
      return 'MORE';
    }
    const errno = calls.errno();
    if (errno === EINTR) return 'MORE';
    this.readable = false;
    return errno === EAGAIN ? 'NOTHING' : 'FAILED';
  }

  /** Hands over what was received. */
  take(): Buffer {
    const { waiting } = this;
    this.waiting = NOTHING;
    return waiting;
  }

  /** @returns whether all of it went out: answers fit into any socket's buffer, unless the client is gone */
  send(bytes: Uint8Array): boolean {
    return this.#hub.calls.send(this.fd, bytes, bytes.length, K.MSG_DONTWAIT | K.MSG_NOSIGNAL) === bytes.length;
  }

  /** Literal of this machine's address that the client is connected to. */
  get local(): string {
    const address = Buffer.alloc(SOCKADDR_BYTES);
    this.#hub.calls.getsockname(this.fd, address, Uint32Array.of(SOCKADDR_BYTES));
    return decodeAddress(address).address;
  }

  end(answer: Uint8Array): void {
    this.send(answer);
    this.#hub.calls.shutdown(this.fd, K.SHUT_WR);
  }

  /**
   * Reads what nobody wants: closing with unread bytes would be a reset, which can overtake the answer.
   * `OVER`: nothing more can come. `MORE`: there may be more now, of which no event will tell.
   */
  swallow(): 'OVER' | 'NOTHING' | 'MORE' {
    const { calls, scratch } = this.#hub;
    for (let read = 0; read < MAX_SWALLOWS; read++) {
      const count = calls.recv(this.fd, scratch, scratch.length, K.MSG_DONTWAIT);
      if (count <= 0) return count < 0 && calls.errno() === EAGAIN ? 'NOTHING' : 'OVER';
    }
    return 'MORE';
  }

  close(): void {
    this.#hub.descriptors.close(this.fd);
  }
}

/** Closing will be a reset, so that the other side does not take the cut for a regular end. */
export function resetOnClose({ calls }: Hub, fd: number): void {
  calls.setsockopt(fd, K.SOL_SOCKET, K.SO_LINGER, RESET, RESET.byteLength);
}
