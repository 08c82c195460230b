import type { Socket } from 'node:net';

import { ReadBuffer, type BufferPool } from './buffers.ts';

/** One end of a tunnel: a socket, and how it is read when it was dialled here. */
export interface SocketEnd {
  readonly socket: Socket;
  readonly reader?: Reader;
}

const NOTHING = Buffer.alloc(0);

/** Reads a dialled socket into a buffer of its own instead of a new one per chunk (`onread`). */
export class Reader {
  readonly buffer: ReadBuffer;
  /** Payload that came behind the answer of an upstream proxy; goes first. */
  early: Buffer = NOTHING;
  /** Set when somebody reads; the socket is not read before. */
  receive: (chunk: Buffer) => boolean = () => false;
  #lastBytes = 0;

  constructor(pool: BufferPool) {
    this.buffer = new ReadBuffer(pool);
  }

  readonly onread = {
    buffer: (): Buffer => this.buffer.next(this.#lastBytes),
    callback: (bytes: number): boolean => {
      this.#lastBytes = bytes;
      const passed = this.receive(this.buffer.bytes.subarray(0, bytes));
      this.buffer.busy = !passed;
      return passed;
    },
  };
}
