import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import type { Logger } from '../log.ts';
import { BACKLOG } from './limits.ts';

/** Milliseconds until the next attempt to listen again, when the port is not free. */
const RETRY_MS = 1_000;

/** A listening socket that can stop accepting for a while. */
export interface Listener {
  listen(): Promise<AddressInfo>;
  address(): AddressInfo | undefined;
  /**
   * Stops accepting. Node cannot leave connections waiting in the kernel's queue, so the listening
   * socket closes: clients are refused at once, by the kernel, at no cost to this process.
   */
  pause(): void;
  /** Accepts again, on the same port. */
  resume(): void;
}

export function createListener(host: string, port: number, accept: (socket: Socket) => void, log: Logger): Listener {
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  let bound: AddressInfo | undefined;
  let retry: NodeJS.Timeout | undefined;
  const open = (): void => void server.listen({ host, port: bound?.port ?? port, backlog: BACKLOG });
  const resume = (): void => {
    clearTimeout(retry);
    if (!server.listening) open();
  };
  return {
    listen() {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.once('listening', () => {
          server.off('error', reject);
          server.on('error', (error) => {
            log.error({ err: error }, 'the proxy cannot accept connections');
            if (!server.listening) retry = setTimeout(resume, RETRY_MS).unref();
          });
          const address = server.address();
          if (address === null || typeof address === 'string') return reject(new Error('not an IP listener'));
          resolve((bound = address));
        });
        open();
      });
    },
    address: () => bound,
    pause() {
      clearTimeout(retry);
      if (server.listening) server.close();
    },
    resume,
  };
}
