import type { Executor } from '../src/graphql/types.ts';
import { compileRow, type Endpoint } from './endpoint.ts';
import { errorReply, JSON_TYPE, type RestReply } from './errors.ts';
import { describeDialect } from './openapi.ts';
import type { RestRequest } from './request.ts';
import { Router, type Found } from './router.ts';
import type { Dialect } from './table.ts';

export interface RestOptions {
  readonly executor: Pick<Executor, 'executeDocument'>;
  /** The first one answers for paths that belong to none, and is `/openapi.json`. */
  readonly dialects: readonly [Dialect, ...Dialect[]];
  /** Server URL of the OpenAPI documents. */
  readonly publicUrl: () => string;
}

interface Entry {
  readonly dialect: Dialect;
  readonly answer: Endpoint;
}

/**
 * The REST dialects over the GraphQL operations. Rows are compiled once, here.
 * @returns a function that answers every request, unknown paths included; it throws only what reading the body throws
 */
export function createRestHandler(options: RestOptions): (request: RestRequest) => Promise<RestReply> {
  const router = routes(options);
  return async (request) => {
    const mark = request.url.indexOf('?');
    const path = mark < 0 ? request.url : request.url.slice(0, mark);
    const found = router.find(path);
    if (found !== undefined) return dispatch(found, request, mark < 0 ? '' : request.url.slice(mark));
    return errorReply(dialectOf(options.dialects, path).errors, { code: 'ROUTE_NOT_FOUND' });
  };
}

function routes({ executor, dialects, publicUrl }: RestOptions): Router<Entry> {
  const router = new Router<Entry>();
  for (const dialect of dialects) {
    for (const row of dialect.rows)
      router.add(dialect.prefix + row.path, row, { dialect, answer: compileRow(executor, dialect, row) });
  }
  for (const [index, dialect] of dialects.entries()) {
    const entry = { dialect, answer: descriptionOf(dialect, publicUrl) };
    const paths = [`/openapi/${dialect.name}.json`, ...(index === 0 ? ['/openapi.json'] : [])];
    for (const path of paths) router.add(path, { method: 'GET', variables: {} }, entry);
  }
  return router;
}

/** Printed at the first request: only then the server surely knows its own address. */
function descriptionOf(dialect: Dialect, publicUrl: () => string): Endpoint {
  let body: string | undefined;
  return async () => {
    body ??= JSON.stringify(describeDialect(dialect, publicUrl()));
    return { status: 200, headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-cache' }, body };
  };
}

async function dispatch({ byMethod, params }: Found<Entry>, request: RestRequest, search: string): Promise<RestReply> {
  // HEAD is answered like GET; the HTTP server leaves the body out (RFC 9110, section 9.3.2).
  const method = request.method === 'HEAD' && !byMethod.has('HEAD') ? 'GET' : request.method;
  const entry = byMethod.get(method);
  if (entry !== undefined) return entry.answer(request, params, search);
  const allow = [...byMethod.keys(), ...(byMethod.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  if (method === 'OPTIONS') return { status: 200, headers: { allow, 'cache-control': 'no-store' }, body: '' };
  return errorReply(firstOf({ byMethod, params }).dialect.errors, { code: 'METHOD_NOT_ALLOWED' }, { allow });
}

function firstOf({ byMethod }: Found<Entry>): Entry {
  const [entry] = byMethod.values();
  if (entry === undefined) throw new Error('a path without rows');
  return entry;
}

function dialectOf(dialects: RestOptions['dialects'], path: string): Dialect {
  return dialects.find(({ prefix }) => prefix !== '' && path.startsWith(`${prefix}/`)) ?? dialects[0];
}
