import type { Schema } from './codec.ts';
import { describeExamples, describeErrors } from './openapiErrors.ts';
import { flatten, type Source } from './sources.ts';
import type { Dialect, Row } from './table.ts';

/** The OpenAPI 3.0.3 document of a dialect, from the same rows that answer its requests. */
export function describeDialect(dialect: Dialect, serverUrl: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const row of dialect.rows) {
    const path = dialect.prefix + row.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: describeRow(dialect, row) };
  }
  return {
    openapi: '3.0.3',
    info: {
      title: dialect.title,
      version: dialect.version,
      description: dialect.description,
      contact: { name: dialect.title, url: serverUrl },
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: serverUrl }],
    tags: dialect.tags,
    paths,
    components: {
      securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', description: dialect.bearerDescription } },
      schemas: { Error: dialect.errors.body.schema },
      examples: describeExamples(dialect),
    },
  };
}

function describeRow(dialect: Dialect, row: Row): Schema {
  const sources = flatten(row.variables).map(([, source]) => source);
  const { request, reply } = dialect.examples[`${row.method} ${row.path}`] ?? {};
  const body = describeBody(sources, request);
  const parameters = sources.flatMap(describeParameter);
  return {
    operationId: operationId(row),
    summary: row.summary,
    description: row.description ?? row.summary,
    tags: [row.tag],
    security: row.access === 'bearer' ? [{ bearerAuth: [] }] : [],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      [row.status]: { description: row.summary, content: describeContent(row.reply.schema, reply) },
      ...describeErrors(dialect, row),
    },
  };
}

function operationId({ operation }: Row): string {
  const [definition] = operation.definitions;
  const name = definition?.kind === 'OperationDefinition' ? definition.name?.value : undefined;
  if (name === undefined) throw new Error('an operation without a name');
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function describeContent(schema: Schema, example: unknown): Schema {
  return { 'application/json': { schema, ...(example !== undefined && { example }) } };
}

function describeParameter({ facts }: Source<unknown>): readonly Schema[] {
  const { place, name, required, schema, about } = facts;
  if (place !== 'path' && place !== 'query' && place !== 'header') return [];
  return [{ name, in: place, required, schema, ...(about !== undefined && { description: about }) }];
}

function describeBody(sources: readonly Source<unknown>[], example: unknown): Schema | undefined {
  const fields = sources.filter(({ facts }) => facts.place === 'body').map(({ facts }) => facts);
  if (fields.length === 0) return undefined;
  const required = fields.filter((facts) => facts.required).map(({ name }) => name);
  const properties = Object.fromEntries(
    fields.map(({ name, schema, about }) => [name, { ...schema, ...(about !== undefined && { description: about }) }]),
  );
  const schema = { type: 'object', properties, ...(required.length > 0 && { required }) };
  return { required: required.length > 0, content: describeContent(schema, example) };
}
