import { describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { describeDialect } from '../../rest-compat/openapi.ts';
import { codesOf } from '../../rest-compat/openapiErrors.ts';
import referenceJson from './lpf/reference.openapi.json' with { type: 'json' };

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly description?: string;
}

interface Content {
  readonly 'application/json': { readonly schema: Schema; readonly example?: unknown; readonly examples?: object };
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly headers?: object; readonly content: Content }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly servers: readonly unknown[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: object; readonly examples: Readonly<Record<string, unknown>> };
}

/** What ours has beyond the reference; whatever else is new fails until it is named here. */
const ADDED = {
  parameters: { 'GET /auth/nonce': ['query purpose', 'query chain_id'] },
  fields: { 'POST /auth/link-wallet': ['message: string'] },
  /** The reference marks no query parameter as required, though without these nothing can be answered. */
  required: ['GET /auth/nonce query address', 'GET /auth/verify-email query token'],
  /** More precise than the reference, which says `string` of every path parameter. */
  types: ['path id: integer for string'],
} satisfies Readonly<Record<string, readonly string[] | Readonly<Record<string, readonly string[]>>>>;

const document = describeDialect(lpf, 'https://prx.lv') as unknown as Document;
const reference = referenceJson as unknown as Document;

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, operation })),
  );
const ours = new Map(operationsOf(document).map(({ route, operation }) => [route, operation]));
const documented = operationsOf(reference);
const addedTo = (what: Readonly<Record<string, readonly string[]>>, route: string): readonly string[] =>
  what[route] ?? [];

function operation(route: string): Operation {
  const found = ours.get(route);
  if (found === undefined) throw new Error(`no row for ${route}`);
  return found;
}

const fieldsOf = ({ requestBody }: Operation): Schema => requestBody?.content['application/json'].schema ?? {};

describe('the OpenAPI document of lpf', () => {
  it('has the 28 paths and 32 operations of the reference, and no other', () => {
    expect(documented).toHaveLength(32);
    expect(Object.keys(reference.paths)).toHaveLength(28);
    expect(lpf.rows).toHaveLength(32);
    expect([...ours.keys()].toSorted()).toEqual(documented.map(({ route }) => route).toSorted());
  });

  it('has its version, title, tags, server and security', () => {
    expect(document.openapi).toBe(reference.openapi);
    expect(document.info).toMatchObject(reference.info);
    expect(document.servers).toEqual(reference.servers);
    const tags = documented.flatMap(
      ({
        operation: {
          tags: [tag],
        },
      }) => tag,
    );
    expect(document.tags.map(({ name }) => name)).toEqual([...new Set(tags)]);
    expect(document.components.securitySchemes).toMatchObject({ bearerAuth: { type: 'http', scheme: 'bearer' } });
    expect(new Set([...ours.values()].map(({ operationId }) => operationId)).size).toBe(ours.size);
  });

  it.each(documented)('$route: what the reference says', ({ route, operation: expected }) => {
    const actual = operation(route);
    expect(actual.summary).toBe(expected.summary);
    expect(actual.tags).toEqual(expected.tags);
    expect(actual.security).toEqual(expected.security ?? []);
    if (expected.description !== undefined) expect(actual.description).toContain(expected.description);
  });

  it.each(documented)('$route: its parameters', ({ route, operation: expected }) => {
    const key = ({ name, in: place }: Parameter): string => `${place} ${name}`;
    const parameters = operation(route).parameters ?? [];
    const wanted = expected.parameters ?? [];
    expect(parameters.map(key)).toEqual([...wanted.map(key), ...addedTo(ADDED.parameters, route)]);
    for (const [index, one] of wanted.entries()) {
      const own = parameters[index];
      const isMorePrecise = `${key(one)}: ${own?.schema.type} for ${one.schema.type}`;
      if (!ADDED.types.includes(isMorePrecise)) expect(own?.schema.type, key(one)).toBe(one.schema.type);
      const isRequired = one.required === true || ADDED.required.includes(`${route} ${key(one)}`);
      expect(own?.required, key(one)).toBe(isRequired);
      expect(own?.description ?? '', key(one)).toContain(one.description ?? '');
    }
    const added = parameters.slice(wanted.length);
    expect(added.filter(({ required }) => required === true)).toEqual([]);
  });

  it.each(documented)('$route: the fields of its body', ({ route, operation: expected }) => {
    const [fields, wanted] = [fieldsOf(operation(route)), fieldsOf(expected)];
    const typesOf = ({ properties = {} }: Schema): string[] =>
      Object.entries(properties).map(([name, { type }]) => `${name}: ${type}`);
    expect(typesOf(fields)).toEqual([...typesOf(wanted), ...addedTo(ADDED.fields, route)]);
    expect(fields.required).toEqual(wanted.required);
    expect(operation(route).requestBody?.required ?? false).toBe((wanted.required ?? []).length > 0);
  });
});

describe('every operation', () => {
  it.each([...ours.keys()])('%s: has a schema and an example of its success', (route) => {
    const { content } = operation(route).responses['200'] ?? expect.fail('no 200');
    const { schema, example } = content['application/json'];
    expect(schema).toMatchObject({ type: 'object', required: Object.keys(schema.properties ?? {}) });
    expect(Object.keys(example ?? {})).toEqual(schema.required);
    const fields = Object.keys(fieldsOf(operation(route)).properties ?? {});
    const request = operation(route).requestBody?.content['application/json'].example ?? {};
    expect(fields).toEqual(expect.arrayContaining(Object.keys(request)));
  });

  it.each(lpf.rows)('$method $path: has its error codes under their statuses', (row) => {
    const route = `${row.method} ${row.path.replace(':id', '{id}')}`;
    const refusals = Object.entries(operation(route).responses).filter(([status]) => status !== '200');
    const said = refusals.flatMap(([status, { content }]) => {
      const { schema, examples = {} } = content['application/json'];
      const [shared, narrowed] = (schema as { allOf: readonly [object, Schema] }).allOf;
      expect(shared).toEqual({ $ref: '#/components/schemas/Error' });
      const codes = narrowed.properties?.['code']?.enum ?? [];
      expect(Object.keys(examples)).toEqual(codes);
      return codes.map((code) => `${status} ${String(code)}`);
    });
    expect(said.toSorted()).toEqual(
      codesOf(row)
        .map((code) => `${lpf.errors.texts[code].status} ${code}`)
        .toSorted(),
    );
    const head = (status: string): object => operation(route).responses[status]?.headers ?? {};
    if (row.access === 'bearer') expect(head('401')).toHaveProperty('WWW-Authenticate');
    if (said.includes('429 THROTTLED')) expect(head('429')).toHaveProperty('Retry-After');
  });

  it('has examples for every row, and for no other', () => {
    expect(Object.keys(lpf.examples).toSorted()).toEqual(
      lpf.rows.map(({ method, path }) => `${method} ${path}`).toSorted(),
    );
  });

  it('says where numbers are clamped', () => {
    const about = (route: string, name: string) =>
      operation(route).parameters?.find((parameter) => parameter.name === name)?.description;
    expect(about('GET /keys/transactions', 'page')).toMatch(/ramenée entre 1 et 1000000$/);
    expect(about('GET /keys/transactions', 'limit')).toMatch(/ramenée entre 1 et 100$/);
    expect(about('GET /keys/usage/daily', 'days')).toMatch(/ramené entre 1 et 90$/);
  });
});
