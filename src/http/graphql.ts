import type { IncomingMessage, ServerResponse } from 'node:http';

import { GraphQLError } from 'graphql';

import { clientAddressOf } from '../clientAddress.ts';
import type { Executor, OperationRequest, PreparedOperation } from '../graphql/types.ts';
import { acceptable, isJson, type Acceptable, type AnswerType } from './accept.ts';
import { executed, httpFault, refused, unauthorised, type Answer } from './answer.ts';
import { MAX_BODY_BYTES, readBody } from './body.ts';
import { createPage, wantsPage } from './page.ts';
import { paramsOfBody, paramsOfQuery } from './params.ts';
import { createYogaTransport, type StreamAnswer } from './yoga.ts';

export interface GraphqlEndpointOptions {
  readonly executor: Executor;
  /** Send JSON answers through Yoga too (tests compare both paths). */
  readonly alwaysYoga?: boolean;
  /** Told of every event stream: the server ends those that are open when it stops. */
  readonly onStream: (response: ServerResponse) => void;
}

/**
 * `/graphql` over HTTP: GraphQL over HTTP for queries and mutations, graphql-sse's distinct connections for
 * subscriptions, GraphiQL for browsers. JSON answers are written here, without a fetch layer in between
 * (about a third of the CPU of a small query).
 */
export function createGraphqlEndpoint(
  options: GraphqlEndpointOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { executor, onStream } = options;
  const yoga = createYogaTransport();
  const answerPage = createPage();

  return async (request, response) => {
    if (wantsPage(request)) {
      await answerPage(request, response);
      return;
    }
    response.setHeader('cache-control', 'no-store');
    const accepted = acceptable(request.headers.accept);
    const read = await readRequest(request, accepted);
    if ('status' in read) {
      writeJson(request, response, read, accepted.json ?? 'application/json');
      return;
    }
    const planned = plan(executor, request, read, accepted);
    const answer = (): Promise<Answer | StreamAnswer> => run(executor, request, planned);
    if (planned.type !== 'text/event-stream' && options.alwaysYoga !== true) {
      const done = await answer();
      if (!('stream' in done)) writeJson(request, response, done, planned.type);
      return;
    }
    if (planned.type === 'text/event-stream') onStream(response);
    // The choice is made: Yoga's own reading of the header ranks types differently.
    request.headers.accept = planned.type;
    await yoga.send(request, response, { operation: read, answer });
  };
}

/** The parameters, or the answer to a request that has none. */
async function readRequest(request: IncomingMessage, accepted: Acceptable): Promise<OperationRequest | Answer> {
  if (request.method !== 'GET' && request.method !== 'POST')
    return httpFault('METHOD_NOT_ALLOWED', 'GraphQL is served by POST, and queries also by GET.');
  if (accepted.json === undefined && !accepted.stream)
    return httpFault(
      'NOT_ACCEPTABLE',
      'Answers are application/json, application/graphql-response+json or text/event-stream.',
    );
  try {
    if (request.method === 'GET') return paramsOfQuery(queryOf(request));
    if (!isJson(request.headers['content-type']) || (request.headers['content-encoding'] ?? 'identity') !== 'identity')
      return httpFault('UNSUPPORTED_MEDIA_TYPE', 'The request body must be application/json in UTF-8, not compressed.');
    const body = await readBody(request, MAX_BODY_BYTES);
    if (body === undefined) return httpFault('PAYLOAD_TOO_LARGE', 'The request body is larger than 256 KiB.');
    return paramsOfBody(body);
  } catch (error) {
    if (error instanceof GraphQLError) return refused([error], 'application/json');
    throw error;
  }
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
}

/** What will be run and how it is encoded, or why not. */
type Plan =
  | { readonly type: AnswerType; readonly prepared: PreparedOperation }
  | { readonly type: AnswerType; readonly prepared?: undefined; readonly refusal: Answer };

function plan(executor: Executor, request: IncomingMessage, params: OperationRequest, accepted: Acceptable): Plan {
  const { prepared, errors } = executor.prepare(params);
  const type = accepted.json ?? 'text/event-stream';
  if (errors !== undefined) return { type, refusal: refused(errors, type) };
  const kind = prepared.operation.operation;
  if (kind === 'mutation' && request.method === 'GET')
    return { type, refusal: httpFault('METHOD_NOT_ALLOWED', 'Mutations are sent by POST.') };
  if (kind !== 'subscription') return { type, prepared };
  if (accepted.stream) return { type: 'text/event-stream', prepared };
  const message = 'Subscriptions answer text/event-stream: name it in Accept, or use a WebSocket.';
  return { type, refusal: httpFault('NOT_ACCEPTABLE', message) };
}

async function run(executor: Executor, request: IncomingMessage, planned: Plan): Promise<Answer | StreamAnswer> {
  if (planned.prepared === undefined) return planned.refusal;
  const { prepared } = planned;
  let context;
  try {
    const { authorization } = request.headers;
    context = await executor.contextFor({ authorization, clientAddress: clientAddressOf(request) });
  } catch (error) {
    return unauthorised(executor.maskError(error));
  }
  if (prepared.operation.operation !== 'subscription') return executed(await executor.execute(prepared, context));
  const stream = await executor.subscribe(prepared, context);
  // Why a subscription cannot start is told in the stream, like every later error of it.
  return 'errors' in stream
    ? { result: stream, status: 200, headers: {} }
    : { stream: stream as StreamAnswer['stream'] };
}

function writeJson(request: IncomingMessage, response: ServerResponse, answer: Answer, type: AnswerType): void {
  const body = JSON.stringify(answer.result);
  const contentType = type === 'text/event-stream' ? 'application/json' : type;
  // A body that was not read to its end would be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  for (const name in answer.headers) response.setHeader(name, answer.headers[name] ?? '');
  response.setHeader('content-type', `${contentType}; charset=utf-8`);
  response.setHeader('content-length', Buffer.byteLength(body));
  response.writeHead(answer.status);
  response.end(body);
}
