import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { parseCidr } from '../addresses.ts';
import { noteClientAddress } from '../clientAddress.ts';
import type { Executor } from '../graphql/types.ts';
import type { Logger } from '../log.ts';
import { ClientGone } from './body.ts';
import { createGraphqlEndpoint } from './graphql.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { answerHealth, answerJson, answerReady, type ReadinessChecks } from './probes.ts';
import { answerResetPage, RESET_PATH } from './resetPage.ts';
import { answerRest, type RestHandler } from './rest.ts';

/** Takes over the socket of an upgrade request; false: not its path. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly executor: Executor;
  readonly metrics: Metrics;
  readonly checks: ReadinessChecks;
  readonly log: Logger;
  /** Everything that is not the server's own; absent: 404. */
  readonly rest?: RestHandler;
  /** WebSocket of the live layer; absent: no upgrades. */
  readonly onUpgrade?: UpgradeHandler;
  readonly alwaysYoga?: boolean;
  /** CIDR blocks of the reverse proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[];
}

export interface HttpServer {
  /** Where it listens, the real port. */
  readonly address: AddressInfo;
  /** `/ready` says 503 from now on; requests are still served. */
  drain(): void;
  /** Stops accepting, ends event streams and idle connections, lets running requests finish within `drainMs`. */
  close(): Promise<void>;
}

/** Listens for GraphQL, probes, metrics and REST. @throws when the address cannot be bound */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const state: State = { draining: false, streams: new Set(), upgraded: new Set() };
  const route = createRouter(options, state);
  const trusted = (options.trustedProxies ?? []).map(parseCidr);
  const server = createServer(
    {
      headersTimeout: HTTP_LIMITS.headersTimeoutMs,
      requestTimeout: HTTP_LIMITS.requestTimeoutMs,
      keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
      connectionsCheckingInterval: HTTP_LIMITS.checkingIntervalMs,
      maxHeaderSize: HTTP_LIMITS.headerBytes,
      noDelay: true,
    },
    (request, response) => {
      noteClientAddress(request, trusted);
      void serve(options, route, request, response);
    },
  );
  server.maxConnections = HTTP_LIMITS.connections;
  server.maxHeadersCount = HTTP_LIMITS.headerCount;
  server.maxRequestsPerSocket = HTTP_LIMITS.requestsPerSocket;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A peer that resets its socket must not end the process.
    socket.on('error', () => socket.destroy());
    noteClientAddress(request, trusted);
    state.upgraded.add(socket);
    socket.once('close', () => state.upgraded.delete(socket));
    if (options.onUpgrade?.(request, socket, head) !== true) refuseUpgrade(socket);
  });
  await listen(server, options);
  return {
    address: boundTo(server),
    drain: () => void (state.draining = true),
    close: () => close(server, state),
  };
}

/** Counted for requests that were abandoned; never sent. */
const CLIENT_GONE = 499;

interface State {
  draining: boolean;
  /** Open event streams. */
  readonly streams: Set<ServerResponse>;
  /** Sockets given to the live layer, which should end them before the server stops. */
  readonly upgraded: Set<Duplex>;
}

interface Route {
  /** What it is called in metrics. */
  readonly name: string;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
}

function createRouter(options: HttpServerOptions, state: State): (path: string) => Route {
  const { executor, metrics, checks, rest } = options;
  const onStream = (response: ServerResponse): void => {
    state.streams.add(response);
    response.once('close', () => state.streams.delete(response));
  };
  const handle = createGraphqlEndpoint({ executor, onStream, alwaysYoga: options.alwaysYoga ?? false });
  const own: Readonly<Record<string, Route>> = {
    '/graphql': { name: 'graphql', handle },
    '/graphql/': { name: 'graphql', handle },
    [RESET_PATH]: { name: 'page', handle: answerResetPage },
    '/health': { name: 'health', handle: (_request, response) => answerHealth(response) },
    '/ready': { name: 'ready', handle: (_request, response) => answerReady(response, checks, state.draining) },
    '/metrics': {
      name: 'metrics',
      async handle(_request, response) {
        const text = await metrics.print();
        response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
      },
    },
  };
  const other: Route = {
    name: 'rest',
    async handle(request, response) {
      if (rest !== undefined && (await answerRest(rest, request, response))) return;
      request.resume();
      answerJson(response, 404, { error: 'Not found', code: 'NOT_FOUND' });
    },
  };
  return (path) => (Object.hasOwn(own, path) ? (own[path] ?? other) : other);
}

async function serve(
  { metrics, log }: HttpServerOptions,
  route: (path: string) => Route,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url = '/' } = request;
  const mark = url.indexOf('?');
  const { name, handle } = route(mark < 0 ? url : url.slice(0, mark));
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  try {
    await handle(request, response);
  } catch (error) {
    if (error instanceof ClientGone) {
      response.statusCode = CLIENT_GONE;
      return;
    }
    log.error({ err: error, route: name }, 'request failed');
    if (response.headersSent) response.destroy();
    else answerJson(response, 500, { error: 'Something went wrong on our side.', code: 'INTERNAL' });
  } finally {
    metrics.countRequest(name, response.statusCode);
  }
}

function refuseUpgrade(socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
}

function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function boundTo(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('The server has no TCP address');
  return address;
}

function close(server: Server, state: State): Promise<void> {
  state.draining = true;
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), HTTP_LIMITS.drainSweepMs);
    const late = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of state.upgraded) socket.destroy();
    }, HTTP_LIMITS.drainMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
    // Cut, not completed: the clients shall come back, here or to another instance, and resume.
    for (const stream of state.streams) stream.destroy();
  });
}
