import type { IncomingMessage, ServerResponse } from 'node:http';

import type { ExecutionResult } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';

import type { OperationRequest } from '../graphql/types.ts';
import type { Answer } from './answer.ts';

/** What this server already read of a request when Yoga gets it. */
interface Handover {
  readonly operation: OperationRequest;
  readonly answer: () => Promise<Answer | StreamAnswer>;
}

/** Results that follow each other, as server-sent events. */
export interface StreamAnswer {
  readonly stream: AsyncGenerator<ExecutionResult, void, void>;
}

export interface YogaTransport {
  /** Writes an answer; a stream as server-sent events (graphql-sse, distinct connections). */
  send(request: IncomingMessage, response: ServerResponse, handover: Handover): Promise<void>;
}

/**
 * Yoga carries what the plain JSON path does not: event streams. Parsing, limits, execution
 * and masking stay with the executor: Yoga gets the parameters already read and a ready answer.
 */
export function createYogaTransport(): YogaTransport {
  const yoga = createYoga<Partial<Handover>>({
    graphqlEndpoint: '/graphql',
    plugins: [handover()],
    graphiql: false,
    landingPage: false,
    logging: false,
    maskedErrors: false,
    multipart: false,
    cors: false,
    batching: false,
    parserAndValidationCache: false,
    maxRequestBodySize: false,
  });
  return {
    async send(request, response, given) {
      await yoga.handle(request, response, given);
    },
  };
}

function handover(): Plugin<object, Partial<Handover>> {
  return {
    onRequestParse({ serverContext, setRequestParser }) {
      const query = serverContext.operation?.query;
      if (query !== undefined) setRequestParser(() => ({ query }));
    },
    async onParams({ context, setResult }) {
      const answer = await context.answer?.();
      if (answer === undefined) return;
      if ('stream' in answer) setResult(answer.stream);
      else
        setResult({
          ...formatted(answer.result),
          extensions: { http: { status: answer.status, headers: { ...answer.headers } } },
        });
    },
  };
}

/** Errors as plain objects: Yoga rebuilds instances and loses the places of compiled documents. */
function formatted(result: ExecutionResult): ExecutionResult {
  if (result.errors === undefined) return result;
  return { ...result, errors: result.errors.map((error) => error.toJSON()) } as unknown as ExecutionResult;
}
