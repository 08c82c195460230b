import { describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { describeDialect } from '../../rest-compat/openapi.ts';
import { CATALOGUE, ERROR_CODES } from '../../src/errors.ts';
import reference from './lpf/reference.openapi.json' with { type: 'json' };

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly description?: string }[];
  readonly requestBody?: {
    readonly content: {
      readonly 'application/json': {
        readonly schema: {
          readonly properties: Readonly<Record<string, { readonly type: string }>>;
          readonly required?: readonly string[];
        };
      };
    };
  };
  readonly responses: Readonly<Record<string, { readonly content?: unknown }>>;
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const document = describeDialect(lpf, 'http://localhost:4000') as { readonly openapi: string; readonly paths: Paths };
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ route: `${method} ${path}`, path, method, operation })),
);
const documented = (reference as unknown as { readonly paths: Paths }).paths;

describe('the OpenAPI document of lpf', () => {
  it('is 3.0.3 and has one operation per row', () => {
    expect(document.openapi).toBe('3.0.3');
    expect(operations).toHaveLength(lpf.rows.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  it.each(operations)('says of $route what the reference says', ({ path, method, operation }) => {
    const expected = documented[path]?.[method];
    expect(expected).toBeDefined();
    expect(operation.summary).toBe(expected?.summary);
    expect(operation.tags).toEqual(expected?.tags);
    expect((operation.security ?? []).length).toBe((expected?.security ?? []).length);
    const names = (of: Operation | undefined) => (of?.parameters ?? []).map((one) => `${one.in} ${one.name}`);
    expect(names(operation)).toEqual(names(expected));
    const body = operation.requestBody?.content['application/json'].schema;
    const expectedBody = expected?.requestBody?.content['application/json'].schema;
    expect(body?.required).toEqual(expectedBody?.required);
    const types = (schema: typeof body) =>
      Object.entries(schema?.properties ?? {}).map(([name, { type }]) => `${name}: ${type}`);
    expect(types(body)).toEqual(types(expectedBody));
  });

  it('says where numbers are clamped', () => {
    const about = (path: string, name: string) =>
      document.paths[path]?.['get']?.parameters?.find((parameter) => parameter.name === name)?.description;
    expect(about('/keys/transactions', 'page')).toMatch(/ramenée entre 1 et 1000000$/);
    expect(about('/keys/transactions', 'limit')).toMatch(/ramenée entre 1 et 100$/);
    expect(about('/keys/usage/daily', 'days')).toMatch(/ramené entre 1 et 90$/);
  });

  it('gives every response a schema, and every operation its errors', () => {
    for (const { route, operation } of operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.content, `${route} ${status}`).toHaveProperty(['application/json', 'schema']);
      }
      const refusals = Object.keys(operation.responses);
      expect(refusals, route).toEqual(expect.arrayContaining(['200', '401', '500', '503']));
    }
  });
});

describe('the errors of lpf', () => {
  it('have the status of the catalogue', () => {
    for (const code of ERROR_CODES) expect(lpf.errors.texts[code].status, code).toBe(CATALOGUE[code].status);
  });

  it('are in French', () => {
    const catalogue = new Set<string>(Object.values(CATALOGUE).map(({ message }) => message));
    for (const { message } of Object.values(lpf.errors.texts)) {
      expect(catalogue.has(message)).toBe(false);
      expect(message).toMatch(/[.]$/);
    }
  });
});
