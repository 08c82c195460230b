import type { Socket } from 'node:net';

/**
 * The part of Node's own stream handle (`socket._handle`) that the relay can use. Not a public
 * interface: everything here is optional and has a fallback that is correct, only less precise.
 */
interface StreamHandle {
  /** Bytes that were written and that the kernel has not yet accepted. */
  readonly writeQueueSize?: unknown;
  useUserBuffer?(buffer: Uint8Array): unknown;
}

/**
 * The handle, to keep: a socket lets go of it when it is destroyed, while the handle still knows
 * until the end of that turn of the event loop how much the kernel had accepted.
 */
export function handleOf(socket: Socket): StreamHandle | undefined {
  return '_handle' in socket && typeof socket._handle === 'object' && socket._handle !== null
    ? socket._handle
    : undefined;
}

/**
 * How much of a write that is still pending the kernel has not accepted. Never `bytesWritten`,
 * which counts what waits in the socket as written.
 * @param pending bytes of that write, the answer when the handle tells nothing: in the customer's favour
 */
export function unaccepted(handle: StreamHandle | undefined, pending: number): number {
  const size = handle?.writeQueueSize;
  return typeof size === 'number' ? Math.min(size, pending) : pending;
}

/** Makes the socket read into another buffer from now on, without waiting for its next read. @returns whether it does */
export function readInto(handle: StreamHandle | undefined, buffer: Uint8Array): boolean {
  if (typeof handle?.useUserBuffer !== 'function') return false;
  handle.useUserBuffer(buffer);
  return true;
}

/**
 * Closes with a reset, so that the other side does not take the cut for a regular end. A socket
 * that has already sent its end has nothing to tell any more, and libuv refuses to reset it.
 */
export function cut(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
