import type { ExecutionResult, GraphQLError } from 'graphql';

import { CATALOGUE, type AnyCode } from '../errors.ts';
import { publicError, type RequestFault } from '../graphql/mask.ts';
import type { AnswerType } from './accept.ts';

/** What a GraphQL request is answered, before it is written. */
export interface Answer {
  readonly result: ExecutionResult;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Faults of HTTP itself have one status, whatever the client accepts. */
const HTTP_FAULTS: Partial<Record<string, number>> = {
  BAD_REQUEST: 400,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
} satisfies Partial<Record<RequestFault, number>>;

/** A well-formed request ran: the status is 200, also with errors beside the data. */
export function executed(result: ExecutionResult): Answer {
  return { result, status: 'data' in result ? 200 : 500, headers: {} };
}

/**
 * Errors before execution. GraphQL over HTTP: a document that cannot run is 200 as `application/json`, for
 * clients older than that specification, and 400 as `application/graphql-response+json`.
 */
export function refused(errors: readonly GraphQLError[], type: AnswerType): Answer {
  const code = String(errors[0]?.extensions['code']);
  const status =
    HTTP_FAULTS[code] ?? (code === 'INTERNAL' ? 500 : type === 'application/graphql-response+json' ? 400 : 200);
  return { result: { errors }, status, headers: status === 405 ? { allow: 'GET, POST' } : {} };
}

/** A credential that is not good, or was tried too often: the catalogue's status with the header that it asks for. */
export function unauthorised(error: GraphQLError): Answer {
  const { code, retryAfterSeconds } = error.extensions;
  const status = statusOf(code);
  return {
    result: { errors: [error] },
    status,
    headers: {
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(typeof retryAfterSeconds === 'number' && { 'retry-after': String(retryAfterSeconds) }),
    },
  };
}

function statusOf(code: unknown): number {
  const facts = typeof code === 'string' && isCatalogued(code) ? CATALOGUE[code] : CATALOGUE.INTERNAL;
  return 'status' in facts ? facts.status : CATALOGUE.INTERNAL.status;
}

function isCatalogued(code: string): code is AnyCode {
  return Object.hasOwn(CATALOGUE, code);
}

/** A fault of HTTP as a GraphQL answer. */
export function httpFault(code: RequestFault, message: string): Answer {
  return refused([publicError(code, message)], 'application/json');
}
