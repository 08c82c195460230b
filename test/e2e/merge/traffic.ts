import { once } from 'node:events';

import type { Origin } from '../../harness/origin.ts';
import type { TestServer } from '../../harness/server.ts';
import { connectThrough } from '../../harness/tunnel.ts';

/** A key and the server it is used at. */
export interface Route {
  readonly key: string;
  readonly server: TestServer;
}

/** A download in the middle of which its client has stopped to read. */
export interface Held {
  /** Reads on, to the end. @returns how many bytes came, headers included */
  finish(): Promise<number>;
  /** Resolves when the tunnel has ended, by whatever cause. */
  readonly ended: Promise<unknown>;
}

/** Opens a tunnel and asks for so many bytes; reads until `holdAfter` of them have come. */
export async function hold({ key, server }: Route, origin: Origin, bytes: number, holdAfter: number): Promise<Held> {
  const socket = await connectThrough(server.ready.socksShared, key, '127.0.0.1', origin.port);
  let received = 0;
  let holding = true;
  const ended = once(socket, 'close');
  const held = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (!holding || received < holdAfter) return;
      socket.pause();
      resolve();
    });
    void ended.then(() => resolve());
  });
  socket.once('end', () => socket.end());
  socket.write(`GET /bytes/${bytes} HTTP/1.1\r\nhost: origin\r\nconnection: close\r\n\r\n`);
  await held;
  return {
    ended,
    async finish() {
      holding = false;
      socket.resume();
      await ended;
      return received;
    },
  };
}

/** Downloads one after another on each of several routes, until stopped. */
export interface Traffic {
  /** Resolves once so many more downloads have ended on every route. */
  more(downloads: number): Promise<void>;
  /** Stops after the downloads that run. @returns what went wrong */
  stop(): Promise<string[]>;
}

export function startTraffic(routes: readonly Route[], origin: Origin): Traffic {
  let running = true;
  const failures: string[] = [];
  const counts = routes.map(() => 0);
  const waiting = new Set<() => void>();
  const repeat = async (route: Route, index: number): Promise<void> => {
    for (let number = 0; running; number += 1) {
      const bytes = 20_000 + ((number * 7_919) % 60_000);
      try {
        const got = await (await hold(route, origin, bytes, 1)).finish();
        if (got < bytes) failures.push(`${got} of ${bytes} bytes came`);
      } catch (error) {
        failures.push(String(error));
      }
      counts[index] = number + 1;
      for (const look of waiting) look();
    }
  };
  const workers = routes.map(repeat);
  return {
    more(downloads) {
      const goals = counts.map((count) => count + downloads);
      return new Promise((resolve) => {
        const look = (): void => {
          if (counts.some((count, index) => count < (goals[index] ?? 0))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
      });
    },
    async stop() {
      running = false;
      await Promise.all(workers);
      return failures;
    },
  };
}
