import { publicError } from '../graphql/mask.ts';
import type { OperationRequest } from '../graphql/types.ts';

const KNOWN = new Set(['query', 'operationName', 'variables', 'extensions']);
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The parameters of a POST body. @throws GraphQLError BAD_REQUEST */
export function paramsOfBody(body: Buffer): OperationRequest {
  if (body.length === 0) throw badRequest('The request body is missing.');
  return checkParams(parseJson(decode(body), 'The request body'));
}

function decode(body: Buffer): string {
  try {
    return UTF8.decode(body);
  } catch {
    throw badRequest('The request body is not UTF-8.');
  }
}

/** The parameters of a GET: `variables` and `extensions` are JSON texts. @throws GraphQLError BAD_REQUEST */
export function paramsOfQuery(search: URLSearchParams): OperationRequest {
  const params: Record<string, unknown> = {};
  for (const [name, value] of search) {
    if (!KNOWN.has(name)) continue;
    params[name] = name === 'variables' || name === 'extensions' ? parseJson(value || 'null', name) : value;
  }
  return checkParams(params);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(`${what} is not valid JSON.`);
  }
}

function checkParams(params: unknown): OperationRequest {
  if (Array.isArray(params)) throw badRequest('Batching is not supported: send one operation per request.');
  if (!isRecord(params)) throw badRequest('The parameters must be a JSON object.');
  for (const name of Object.keys(params))
    if (!KNOWN.has(name) && params[name] != null) throw badRequest('Unexpected parameter in the request body.');
  const { query, operationName, variables, extensions } = params;
  if (typeof query !== 'string') throw badRequest('The parameter "query" is missing or not a string.');
  if (operationName != null && typeof operationName !== 'string') throw badRequest('"operationName" must be a string.');
  if (variables != null && !isRecord(variables)) throw badRequest('"variables" must be an object.');
  if (extensions != null && !isRecord(extensions)) throw badRequest('"extensions" must be an object.');
  return { query, operationName: operationName ?? undefined, variables: variables ?? undefined };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badRequest(message: string): Error {
  return publicError('BAD_REQUEST', message);
}
