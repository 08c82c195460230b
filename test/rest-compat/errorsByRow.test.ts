import { print } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import type { RestCode } from '../../rest-compat/errors.ts';
import { parseJson } from '../../rest-compat/json.ts';
import { codesOf } from '../../rest-compat/openapiErrors.ts';
import { compileSources, flatten, InputFault, Source, type SourceTree } from '../../rest-compat/sources.ts';
import type { Row } from '../../rest-compat/table.ts';
import { assemble, type Cast } from './faults/cast.ts';
import type { Parts } from './faults/fault.ts';
import { faultsOf, THROTTLED_KEY } from './faults/faults.ts';
import { openWorld, type World } from './world.ts';

/** Documented for every row, and provoked for all of them at once below. */
const OUT_OF_REACH: readonly RestCode[] = ['INTERNAL'];

let world: World;
let cast: Cast;

beforeAll(async () => {
  world = await openWorld();
  cast = await assemble(world);
  for (let attempt = 0; attempt < 10; attempt += 1) await send('GET', '/usage', { credential: THROTTLED_KEY });
});
afterAll(() => world[Symbol.asyncDispose]());

interface Sent {
  readonly credential?: string | null | undefined;
  readonly body?: string | undefined;
  readonly type?: string | undefined;
}

async function send(method: string, path: string, { credential = cast.plain.secret, body, type }: Sent) {
  const response = await fetch(world.http + path, {
    method,
    headers: {
      ...(credential !== null && { authorization: `Bearer ${credential}` }),
      ...(body !== undefined && { 'content-type': type ?? 'application/json' }),
    },
    ...(body !== undefined && { body }),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as unknown };
}

/** What is sent to a row: its documented example, with the differences. */
function requestOf(row: Row, parts: Parts) {
  const places = new Set(flatten(row.variables).map(([, { facts }]) => facts.place));
  const example = lpf.examples[`${row.method} ${row.path}`]?.request as object | undefined;
  const body = places.has('body') ? (parts.text ?? JSON.stringify({ ...example, ...parts.fields })) : undefined;
  const id = `${parts.id ?? cast.plain.keyId}`;
  const query = { ...QUERIES[`${row.method} ${row.path}`], ...parts.query };
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined));
  return { id, body, search, url: `${row.path.replace(':id', id)}?${search}` };
}

/** What a request without these would lack. */
const QUERIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'GET /auth/nonce': { address: `0x${'ab'.repeat(20)}` },
  'GET /auth/verify-email': { token: 'x' },
};

/** The same operation, asked with the same values over GraphQL. @returns the code of its error */
async function graphqlCode(row: Row, parts: Parts): Promise<unknown> {
  const { credential, type, text } = parts;
  const body = text ?? JSON.stringify({ query: print(row.operation), variables: variablesOf(row, parts) });
  const { json } = await send('POST', '/graphql', { credential, type, body });
  const { errors, data } = json as {
    errors?: readonly { extensions: { code: unknown } }[];
    data?: Readonly<Record<string, { code?: unknown } | null>> | null;
  };
  if (errors !== undefined) return errors[0]?.extensions.code;
  const [result] = Object.values(data ?? {});
  // Nobody has no viewer: GraphQL says so without an error.
  return result === null ? 'UNAUTHENTICATED' : (result?.code ?? 'OK');
}

/** The row's variables; a value that the row cannot read stands as it was sent. */
function variablesOf(row: Row, parts: Parts): unknown {
  const good = build(row, {});
  const found = build(row, parts);
  if (!(found instanceof InputFault)) return found;
  if (good instanceof InputFault) throw new Error(`the example of ${row.path} lacks ${good.facts.name}`);
  const { place, name } = found.facts;
  const raw = (place === 'body' ? parts.fields : parts.query)?.[name];
  return replace(row.variables, good, found.facts.name, raw);
}

function build(row: Row, parts: Parts) {
  const { id, body, search } = requestOf(row, parts);
  return compileSources(row.variables)({ path: { id }, query: search, headers: {}, body: parseJson(body ?? '{}') });
}

function replace(tree: SourceTree, values: Readonly<Record<string, unknown>>, name: string, raw: unknown): object {
  return Object.fromEntries(
    Object.entries(tree).map(([key, member]) => {
      if (!(member instanceof Source)) return [key, replace(member, values[key] as typeof values, name, raw)];
      return [key, member.facts.name === name ? raw : values[key]];
    }),
  );
}

describe('every error that a row documents', () => {
  it.each(lpf.rows)('$method $path', { timeout: 60_000 }, async (row) => {
    const sources = flatten(row.variables).map(([, { facts }]) => facts);
    const provoked = new Set<RestCode>(OUT_OF_REACH);
    for (const { code, title, make, graphql = code } of faultsOf(row, sources)) {
      const parts = await make(cast);
      const { url, body } = requestOf(row, parts);
      const { status, headers, json } = await send(row.method, url, { ...parts, body });
      expect({ status, json }, title).toEqual({
        status: lpf.errors.texts[code].status,
        json: { error: expect.stringMatching(/ [:;] .+\.$/) as string, code },
      });
      expect(headers.get('cache-control'), title).toBe('no-store');
      expect(headers.get('content-type'), title).toBe('application/json; charset=utf-8');
      expect(headers.get('www-authenticate'), title).toBe(status === 401 ? 'Bearer' : null);
      if (status === 429) expect(Number(headers.get('retry-after')), title).toBeGreaterThan(0);
      expect(await graphqlCode(row, await make(cast)), `${title}, over GraphQL`).toBe(graphql);
      provoked.add(code);
    }
    expect([...provoked].toSorted()).toEqual([...codesOf(row)].toSorted());
  });
});
