import { randomBytes } from 'node:crypto';

import { ForbiddenError } from '@pothos/plugin-scope-auth';
import { InputValidationError } from '@pothos/plugin-validation';
import { GraphQLError, type SourceLocation } from 'graphql';

import { AppError, CATALOGUE, type ErrorCode } from '../errors.ts';
import type { Logger } from '../log.ts';

/** Characters of a public message: some repeat parts of what was sent. */
const MAX_MESSAGE = 1_000;

/** Codes of faults in the request itself, which never reaches an operation. */
export const REQUEST_FAULTS = [
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'DOCUMENT_LIMIT_EXCEEDED',
  'OPERATION_TOO_COSTLY',
  'OPERATION_RESOLUTION_FAILED',
  'METHOD_NOT_ALLOWED',
  'NOT_ACCEPTABLE',
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];

/** A public error with a code; it keeps the place in the document and the path of `source`. */
export function publicError(
  code: ErrorCode | RequestFault,
  message: string,
  source?: Partial<Pick<GraphQLError, 'locations' | 'path'>>,
  more: Readonly<Record<string, unknown>> = {},
): GraphQLError {
  const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
  const error = new GraphQLError(text, { path: source?.path, extensions: { code, ...more } });
  const locations: readonly SourceLocation[] | undefined = source?.locations;
  // Compiled documents report lines and columns without the nodes they were computed from.
  if (locations !== undefined)
    Object.defineProperty(error, 'locations', { value: locations, enumerable: true, configurable: true });
  return error;
}

/**
 * The public form of whatever was thrown: an `AppError` keeps code, field and waiting time; a failed scope is
 * UNAUTHENTICATED or FORBIDDEN; the rest is logged under a request id and INTERNAL.
 * @param anonymous whether the caller showed no credential
 */
export function maskError(error: unknown, anonymous: boolean, log: Logger): GraphQLError {
  const place = isPlaced(error) ? error : undefined;
  const cause = rootCause(error);
  if (cause instanceof AppError) return publicError(cause.code, cause.message, place, detailsOf(cause));
  if (cause instanceof ForbiddenError) {
    const code = anonymous ? 'UNAUTHENTICATED' : 'FORBIDDEN';
    return publicError(code, CATALOGUE[code].message, place);
  }
  if (cause instanceof InputValidationError) return publicError('BAD_INPUT', cause.message, place);
  // Arguments that only show at run time, such as a null for a non-null argument with a default.
  if (cause instanceof GraphQLError && cause.nodes !== undefined && cause.path === undefined)
    return publicError('BAD_INPUT', cause.message, place);
  const requestId = randomBytes(8).toString('hex');
  log.error({ err: cause, path: place?.path?.join('.'), requestId }, 'operation failed');
  return publicError('INTERNAL', CATALOGUE.INTERNAL.message, place, { requestId });
}

/** What an `AppError` adds to its code. */
function detailsOf(error: AppError): Record<string, unknown> {
  return {
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

type Placed = Pick<GraphQLError, 'locations' | 'path'>;

function isPlaced(error: unknown): error is Placed {
  return error instanceof GraphQLError;
}

/** graphql-js and graphql-jit wrap what a resolver threw, once per executor that it passed. */
function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError !== undefined) cause = cause.originalError;
  return cause;
}
