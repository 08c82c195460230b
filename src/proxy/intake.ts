import type { Socket } from 'node:net';

import type { Channel } from './handshake.ts';
import { HANDSHAKE_TIMEOUT_MS, LINGER_MS } from './limits.ts';
import { cut } from './relay/handle.ts';
import type { Decoder } from './socks5.ts';

/**
 * Bytes that may wait for a handshake to go on; the client is read no further then. All its
 * messages fit into 8,192 bytes (HTTP; SOCKS5 1,032), the rest is early data. One more read (64 KiB)
 * may exceed it.
 */
const MAX_WAITING_BYTES = 16_384;

const NOTHING = Buffer.alloc(0);

/** Reads a client's handshake from its socket, until the relay takes over. */
export class Intake implements Channel {
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  #waiting: Buffer = NOTHING;
  #ended = false;
  /** Tries again to decode, or gives up; set while a message is awaited. */
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#timer = setTimeout(() => this.drop(), HANDSHAKE_TIMEOUT_MS);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
  }

  /** The client shut down its sending side: what was received is all there will be. */
  get ended(): boolean {
    return this.#ended;
  }

  receive<Message>(decode: Decoder<Message>): Promise<Message | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        try {
          const decoded = decode(this.#waiting);
          if (decoded === undefined && !this.#ended) return;
          this.#wake = undefined;
          if (decoded === undefined) this.drop();
          else this.#waiting = this.#waiting.subarray(decoded.length);
          resolve(decoded?.message);
        } catch (error) {
          this.#wake = undefined;
          reject(error);
        }
      };
      this.#wake();
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  finish(answer: Uint8Array): void {
    this.#detach();
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (!socket.writable) return this.drop();
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(linger));
    // Closing with unread bytes would be a reset, which can overtake the answer.
    socket.resume();
    socket.end(answer);
  }

  drop(): void {
    clearTimeout(this.#timer);
    cut(this.#socket);
  }

  /** The request is complete: the client has no more to do in time. */
  completed(): void {
    clearTimeout(this.#timer);
  }

  /** Hands the socket over. @returns what was received behind the request */
  release(): Buffer {
    this.#detach();
    const early = this.#waiting;
    this.#waiting = NOTHING;
    // An empty part would keep all of what it is a part of.
    return early.length === 0 ? NOTHING : early;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#wake?.();
    if (this.#waiting.length >= MAX_WAITING_BYTES) this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
    if (this.#socket.destroyed) clearTimeout(this.#timer);
  };

  #detach(): void {
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
  }
}
