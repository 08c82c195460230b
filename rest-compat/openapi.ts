import type { Schema } from './codecs.ts';
import type { RestCode } from './errors.ts';
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
    },
  };
}

function describeRow(dialect: Dialect, row: Row): Schema {
  const sources = flatten(row.variables).map(([, source]) => source);
  const body = describeBody(sources);
  return {
    operationId: operationId(row),
    summary: row.summary,
    description: row.description ?? row.summary,
    tags: [row.tag],
    security: row.access === 'bearer' ? [{ bearerAuth: [] }] : [],
    parameters: sources.flatMap(describeParameter),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      [row.status]: { description: row.summary, content: { 'application/json': { schema: row.reply.schema } } },
      ...describeErrors(dialect, row, sources),
    },
  };
}

function operationId({ operation }: Row): string {
  const [definition] = operation.definitions;
  const name = definition?.kind === 'OperationDefinition' ? definition.name?.value : undefined;
  if (name === undefined) throw new Error('an operation without a name');
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function describeParameter({ facts }: Source<unknown>): readonly Schema[] {
  const { place, name, required, schema, about } = facts;
  if (place !== 'path' && place !== 'query' && place !== 'header') return [];
  return [{ name, in: place, required, schema, ...(about !== undefined && { description: about }) }];
}

function describeBody(sources: readonly Source<unknown>[]): Schema | undefined {
  const fields = sources.filter(({ facts }) => facts.place === 'body').map(({ facts }) => facts);
  if (fields.length === 0) return undefined;
  const required = fields.filter((facts) => facts.required).map(({ name }) => name);
  const properties = Object.fromEntries(
    fields.map(({ name, schema, about }) => [name, { ...schema, ...(about !== undefined && { description: about }) }]),
  );
  const schema = { type: 'object', properties, ...(required.length > 0 && { required }) };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

/** Codes a row may answer: its own, and what follows from its sources and its access. */
function codesOf(row: Row, sources: readonly Source<unknown>[]): readonly RestCode[] {
  const places = new Set(sources.map(({ facts }) => facts.place));
  places.delete('constant');
  const bearer: readonly RestCode[] = ['UNAUTHENTICATED', 'CREDENTIAL_REVOKED', 'THROTTLED'];
  const input: readonly RestCode[] = ['BAD_INPUT'];
  const body: readonly RestCode[] = ['BAD_REQUEST', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
  const codes: readonly RestCode[] = [
    ...(row.access === 'bearer' ? bearer : []),
    ...(places.size > 0 ? input : []),
    ...(places.has('body') ? body : []),
    ...row.errors,
    'INTERNAL',
    'UNAVAILABLE',
  ];
  return [...new Set(codes)];
}

const HEADER_TEXT = { schema: { type: 'string' } };
const ERROR_HEADERS: Readonly<Record<number, Schema>> = {
  401: { 'WWW-Authenticate': HEADER_TEXT },
  429: { 'Retry-After': { schema: { type: 'integer' } } },
};

function describeErrors({ errors }: Dialect, row: Row, sources: readonly Source<unknown>[]): Record<string, Schema> {
  const byStatus = new Map<number, string[]>();
  for (const code of codesOf(row, sources)) {
    const { status, message } = errors.texts[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${code} : ${message}`]);
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  return Object.fromEntries(
    [...byStatus].map(([status, lines]) => {
      const headers = ERROR_HEADERS[status];
      return [status, { description: lines.join('\n\n'), ...(headers && { headers }), content }];
    }),
  );
}
