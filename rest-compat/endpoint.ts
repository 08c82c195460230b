import type { ExecutionResult } from 'graphql';

import type { Caller, Executor } from '../src/graphql/types.ts';
import { errorReply, PRIVATE_JSON, type ErrorStyle, type Failure, type RestCode, type RestReply } from './errors.ts';
import { EMPTY_OBJECT } from './json.ts';
import { CheckCredentialDocument } from './operations.generated.ts';
import { readJson, type RestRequest } from './request.ts';
import { compileSources, flatten, InputFault, type RequestParts } from './sources.ts';
import type { Dialect, Row } from './table.ts';

/** Answers the requests of one row. */
export type Endpoint = (
  request: RestRequest,
  params: Readonly<Record<string, string>>,
  search: string,
) => Promise<RestReply>;

type Variables = Readonly<Record<string, unknown>>;

/** Specialises a row: its sources, its reply and the names of its fields are worked out once. */
export function compileRow(executor: Pick<Executor, 'executeDocument'>, { errors }: Dialect, row: Row): Endpoint {
  const { operation, at, status } = row;
  const variablesOf = compileVariables(row);
  const failureOf = compileFailures(errors, row);
  const refuse = (failure: Failure): RestReply => errorReply(errors, failure);

  return async (request, params, search) => {
    const caller = callerOf(request, row.access);
    if (row.access === 'bearer' && caller.authorization === undefined) return refuse({ code: 'UNAUTHENTICATED' });
    const built = await variablesOf(request, params, search);
    if ('failure' in built) {
      // A bad credential is said before anything else about the request.
      const { errors: refused } = await executor.executeDocument(CheckCredentialDocument, {}, caller);
      return refuse(refused?.[0] === undefined ? built.failure : failureOf(refused[0].extensions));
    }
    const result = await executor.executeDocument<unknown, Variables>(operation, built.variables, caller);
    const reached = reach(result, at);
    if ('failure' in reached) return refuse(failureOf(reached.failure));
    return { status, headers: PRIVATE_JSON, body: row.reply.write(reached.data as never) };
  };
}

function callerOf({ headers, clientAddress }: RestRequest, access: Row['access']): Caller {
  const { authorization } = headers;
  return {
    authorization: access === 'bearer' && typeof authorization === 'string' ? authorization : undefined,
    clientAddress,
  };
}

type Built = { readonly variables: Variables } | { readonly failure: Failure };

function compileVariables(
  row: Row,
): (request: RestRequest, params: RequestParts['path'], search: string) => Promise<Built> {
  const build = compileSources(row.variables);
  const hasBody = flatten(row.variables).some(([, { facts }]) => facts.place === 'body');
  return async (request, path, search) => {
    const read = hasBody ? await readJson(request) : { json: EMPTY_OBJECT };
    if ('code' in read) return { failure: read };
    const { headers } = request;
    const variables = build({ path, headers, query: new URLSearchParams(search), body: read.json });
    if (!(variables instanceof InputFault)) return { variables };
    return { failure: { code: 'BAD_INPUT', source: variables.facts, missing: variables.missing } };
  };
}

/** Reads `code`, `field` and `retryAfterSeconds` of a GraphQL error, and names the field as the dialect does. */
function compileFailures(style: ErrorStyle, row: Row): (error: Variables) => Failure {
  const sources = new Map(flatten(row.variables).map(([variable, { facts }]) => [variable, facts]));
  const isKnown = (code: unknown): code is RestCode => typeof code === 'string' && Object.hasOwn(style.texts, code);
  return ({ code, field, retryAfterSeconds }) => {
    const source = typeof field === 'string' ? sources.get(field) : undefined;
    return {
      code: isKnown(code) ? code : 'INTERNAL',
      ...(source !== undefined && source.place !== 'constant' && { source }),
      ...(typeof retryAfterSeconds === 'number' && { retryAfterSeconds }),
    };
  };
}

const isRecord = (value: unknown): value is Variables => typeof value === 'object' && value !== null;

/** The data at the end of the path, or the first error: of the request, or a typed one on the way. */
function reach(
  { data, errors }: ExecutionResult<unknown>,
  at: readonly string[],
): { readonly data: unknown } | { readonly failure: Variables } {
  const [error] = errors ?? [];
  if (error !== undefined) return { failure: error.extensions };
  let here: unknown = data;
  for (const step of at) {
    here = isRecord(here) ? here[step] : undefined;
    if (!isRecord(here)) return { failure: { code: step === 'viewer' ? 'UNAUTHENTICATED' : 'NOT_FOUND' } };
    if ('code' in here && 'message' in here) return { failure: here };
  }
  return { data: here };
}
