import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { handleProtocols, makeServer, type Server } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';

import type { LiveUsage } from '../events.ts';
import type { Executor } from '../graphql/types.ts';
import type { Logger } from '../log.ts';
import { CLOSE, CloseSocket, Connection, type GraphqlSocket } from './connection.ts';
import { operationHooks } from './operations.ts';
import { SharedSubscriptions } from './shared.ts';

/** Bytes of one message from a client. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const INIT_TIMEOUT_MS = 5_000;
const PING_INTERVAL_MS = 15_000;
/** Pings in a row without an answer after which a peer counts as gone: slow readers may take that long. */
const MAX_UNANSWERED_PINGS = 4;
const DRAIN_MS = 2_000;
const OUR_PATH = /^\/graphql\/?(\?|$)/;

export interface WebSocketOptions {
  readonly executor: Executor;
  readonly live: LiveUsage;
  readonly log: Logger;
}

/** For metrics: sockets, different subscriptions, streams that serve them, and the unsent bytes of the worst socket. */
export interface SocketCounts {
  readonly connections: number;
  readonly channels: number;
  readonly lanes: number;
  readonly mostBuffered: number;
}

/** GraphQL over WebSocket: the `graphql-transport-ws` protocol. */
export interface LiveSockets {
  /** For the `upgrade` event of the HTTP server. @returns false when the path is not `/graphql`; nothing is done then */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  counts(): SocketCounts;
  /** Closes every socket with 1001; cuts off those that do not answer. */
  close(): Promise<void>;
}

/** @returns the WebSocket side of `/graphql` */
export function createLiveSockets({ executor, live, log }: WebSocketOptions): LiveSockets {
  const shared = new SharedSubscriptions(executor);
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols,
  });
  const server: Server<Connection> = makeServer({
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,
    onConnect: async (graphqlSocket: GraphqlSocket) => {
      await graphqlSocket.extra.authenticate(executor, live, graphqlSocket);
    },
    ...operationHooks(executor, shared),
  });
  const unanswered = new WeakMap<WebSocket, number>();
  const pinging = setInterval(() => ping(webSockets.clients, unanswered), PING_INTERVAL_MS);
  pinging.unref();
  webSockets.on('connection', (socket, request) => {
    socket.on('pong', () => unanswered.delete(socket));
    accept(server, new Connection(socket, request), log);
  });
  return {
    upgrade(request, socket, head) {
      if (!OUR_PATH.test(request.url ?? '')) return false;
      webSockets.handleUpgrade(request, socket, head, (accepted) => webSockets.emit('connection', accepted, request));
      return true;
    },
    counts: () => ({
      connections: webSockets.clients.size,
      mostBuffered: [...webSockets.clients].reduce((most, socket) => Math.max(most, socket.bufferedAmount), 0),
      ...shared.counts(),
    }),
    async close() {
      clearInterval(pinging);
      await closeAll(webSockets);
    },
  };
}

/** Connects one socket with graphql-ws. */
function accept(server: Server<Connection>, connection: Connection, log: Logger): void {
  const { socket } = connection;
  // A frame that is too large or malformed: ws closes the socket by itself, with 1009 or 1002.
  socket.on('error', (error) => log.debug({ err: error }, 'websocket failed'));
  const closed = server.opened(
    {
      protocol: socket.protocol,
      send: (text) => connection.send(text),
      close: (code, reason) => connection.close(code ?? CLOSE.INTERNAL, reason ?? ''),
      onMessage: (handle) => {
        socket.on('message', (data) => {
          connection.holdBack();
          handle(Buffer.isBuffer(data) ? data.toString() : '').catch((error: unknown) => {
            if (error instanceof CloseSocket) {
              connection.close(error.code, error.message);
              return;
            }
            log.error({ err: error }, 'handling a websocket message failed');
            connection.close(CLOSE.INTERNAL, 'Internal server error');
          });
        });
      },
    },
    connection,
  );
  socket.once('close', (code, reason) => {
    connection.closed();
    closed(code, String(reason)).catch((error: unknown) => log.error({ err: error }, 'closing a websocket failed'));
  });
}

function ping(sockets: Iterable<WebSocket>, unanswered: WeakMap<WebSocket, number>): void {
  for (const socket of sockets) {
    const missed = unanswered.get(socket) ?? 0;
    if (missed >= MAX_UNANSWERED_PINGS) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) {
      unanswered.set(socket, missed + 1);
      socket.ping();
    }
  }
}

async function closeAll(webSockets: WebSocketServer): Promise<void> {
  for (const socket of webSockets.clients) socket.close(CLOSE.GOING_AWAY, 'Going away');
  const cutOff = setTimeout(() => {
    for (const socket of webSockets.clients) socket.terminate();
  }, DRAIN_MS);
  const open = [...webSockets.clients].filter((socket) => socket.readyState !== WebSocket.CLOSED);
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  clearTimeout(cutOff);
  webSockets.close();
}
