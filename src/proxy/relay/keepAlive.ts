import type { Socket } from 'node:net';

import { KEEP_ALIVE_SECONDS } from '../limits.ts';

/** Sockets are probed after one to two of these: most connections are over by then. */
const SWEEP_MS = 30_000;

/** The two sockets of a tunnel. */
export interface Ends {
  readonly client: Socket;
  readonly target: Socket;
}

/**
 * Turns keep-alive on for tunnels that last. At the start it would be four system calls for each
 * socket, and no probe is due before the delay has passed anyway.
 */
export class KeepAlive {
  #young = new Set<Ends>();
  #older = new Set<Ends>();
  #sweeper: NodeJS.Timeout | undefined;

  add(ends: Ends): void {
    this.#young.add(ends);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  delete(ends: Ends): void {
    if (!this.#young.delete(ends)) this.#older.delete(ends);
  }

  #sweep(): void {
    for (const { client, target } of this.#older) {
      for (const socket of [client, target])
        if (!socket.destroyed) socket.setKeepAlive(true, KEEP_ALIVE_SECONDS * 1_000);
    }
    this.#older = this.#young;
    this.#young = new Set();
    if (this.#older.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
