import type { Socket } from 'node:net';

import type { Ends } from './keepAlive.ts';

/** Milliseconds between two looks: how late a reset may be noticed. */
const SWEEP_MS = 5_000;

const NOTHING = Buffer.alloc(0);

/**
 * Notices resets that Node does not tell of, because it reads a socket no more: its end has come, or what it sent
 * waits for the other side. Writing no bytes tells of them, and sends nothing.
 */
export class Resets {
  readonly #tunnels = new Set<Ends>();
  #sweeper: NodeJS.Timeout | undefined;

  add(ends: Ends): void {
    this.#tunnels.add(ends);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  delete(ends: Ends): void {
    this.#tunnels.delete(ends);
  }

  #sweep(): void {
    for (const { client, target } of this.#tunnels) {
      if (client.readableEnded || client.isPaused()) probe(client);
      // While the client is behind, it still gets what the target had sent.
      if (client.writableFinished) probe(target);
    }
    if (this.#tunnels.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function probe(socket: Socket): void {
  // With bytes under way the system tells by itself.
  if (socket.writable && socket.writableLength === 0) socket.write(NOTHING);
}
