import type { IncomingMessage, ServerResponse } from 'node:http';

import { readBody } from './body.ts';

/** A request that is not GraphQL and not a probe, as the REST layer sees it. */
export interface RestRequest {
  readonly method: string;
  /** Path and query string. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Address of the socket. */
  readonly clientAddress: string;
  /** Undefined when the body is longer than `maxBytes`. */
  readonly body: (maxBytes: number) => Promise<Uint8Array | undefined>;
}

export interface RestReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers every path that is not one of the server's own; undefined or absent: 404. */
export type RestHandler = (request: RestRequest) => Promise<RestReply | undefined>;

/** Calls the REST layer and writes its reply. @returns false when it has no such path */
export async function answerRest(
  handler: RestHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const reply = await handler({
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers: request.headers,
    clientAddress: request.socket.remoteAddress ?? '',
    body: (maxBytes) => readBody(request, maxBytes),
  });
  if (reply === undefined) return false;
  // A body that nobody asked for must not be taken for the next request.
  if (!request.complete) request.resume();
  response.setHeader('content-length', Buffer.byteLength(reply.body));
  response.writeHead(reply.status, reply.headers);
  response.end(request.method === 'HEAD' ? undefined : reply.body);
  return true;
}
