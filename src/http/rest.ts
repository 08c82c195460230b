import type { IncomingMessage, ServerResponse } from 'node:http';

import type { RestReply } from '../../rest-compat/errors.ts';
import type { RestRequest } from '../../rest-compat/request.ts';
import { clientAddressOf } from '../clientAddress.ts';
import { readBody } from './body.ts';

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
    clientAddress: clientAddressOf(request),
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
