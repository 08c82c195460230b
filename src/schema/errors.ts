import { AppError } from '../errors.ts';
import { builder } from './builder.ts';
import { ErrorCodeEnum } from './enums.ts';

/**
 * Typed errors, one object type per HTTP meaning. The operations throw `AppError`; which type it
 * shows as follows from the status of its code, through `instanceof`.
 */
function hasStatus(error: unknown, ...statuses: number[]): boolean {
  return error instanceof AppError && error.code !== undefined && statuses.includes(error.status);
}

export class AuthenticationError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 401);
  }
}
export class CreditError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 402);
  }
}
export class ForbiddenError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 403);
  }
}
export class NotFoundError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 404);
  }
}
export class ConflictError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 409);
  }
}
export class InputError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 400);
  }
}
export class ThrottledError extends AppError {
  static override [Symbol.hasInstance](error: unknown): boolean {
    return hasStatus(error, 429);
  }
}

const ErrorInterface = builder.interfaceRef<AppError>('Error').implement({
  description: 'An expected failure. `code` is the same in GraphQL, REST and the documentation.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'What went wrong, for programs.' }),
    message: t.exposeString('message', { description: 'What went wrong and what to do, for people.' }),
  }),
});

const TYPES = [
  [AuthenticationError, 'AuthenticationError', 'The credential is missing or wrong (HTTP 401).'],
  [CreditError, 'CreditError', 'The balance does not cover it (HTTP 402).'],
  [ForbiddenError, 'ForbiddenError', 'The credential is good but does not allow it (HTTP 403).'],
  [NotFoundError, 'NotFoundError', 'No such object, or not one of the caller: the same answer (HTTP 404).'],
  [ConflictError, 'ConflictError', 'The state of the object does not allow it (HTTP 409).'],
] as const;
for (const [type, name, description] of TYPES) {
  builder.objectType(type, { name, description, interfaces: [ErrorInterface] });
}

builder.objectType(InputError, {
  name: 'InputError',
  description: 'An input is not valid (HTTP 400).',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    field: t.exposeString('field', { nullable: true, description: 'The input field at fault, when it is one.' }),
  }),
});

builder.objectType(ThrottledError, {
  name: 'ThrottledError',
  description: 'Too many attempts (HTTP 429).',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    retryAfterSeconds: t.exposeInt('retryAfterSeconds', {
      nullable: true,
      description: 'Seconds after which the call may succeed.',
    }),
  }),
});

/** What any operation of a signed-in caller may answer. */
const COMMON = [AuthenticationError, ForbiddenError, InputError];

/** Error types of a mutation: the common ones and its own. */
export function failures(...own: (new (...args: never[]) => AppError)[]): {
  types: (new (...args: never[]) => AppError)[];
} {
  return { types: [...COMMON, ...own] };
}
