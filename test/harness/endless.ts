import type { Socket } from 'node:net';

import type { Origin } from './origin.ts';
import { connectThrough } from './tunnel.ts';

/** A download through the proxy that never ends by itself. */
export interface EndlessStream {
  readonly socket: Socket;
  /** Bytes of the request. */
  readonly sent: number;
  /** Bytes of the answer so far. */
  received(): number;
  /** Resolves once 100,000 bytes have come, or `pauseAfter`. */
  readonly flowing: Promise<void>;
  /** Resolves when the tunnel is gone, by whatever cause. */
  readonly ended: Promise<void>;
}

const FLOWING_BYTES = 100_000;

/**
 * @param options.pauseAfter stops reading after so many bytes, until `socket.resume()`
 * @param options.from address that the client has
 */
export async function endlessStream(
  proxy: string,
  key: string,
  origin: Origin,
  options: { readonly pauseAfter?: number; readonly from?: string } = {},
): Promise<EndlessStream> {
  const request = `GET /endless HTTP/1.1\r\nhost: origin\r\n\r\n`;
  const socket = await connectThrough(proxy, key, '127.0.0.1', origin.port, options.from);
  const enough = options.pauseAfter ?? FLOWING_BYTES;
  let pauseAt = options.pauseAfter ?? Infinity;
  let received = 0;
  const flowing = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received >= enough) resolve();
      if (received >= pauseAt) {
        pauseAt = Infinity;
        socket.pause();
      }
    });
  });
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('end', () => socket.end());
  });
  socket.write(request);
  return { socket, sent: request.length, received: () => received, flowing, ended };
}
