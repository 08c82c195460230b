import type { Schema } from './codec.ts';
import { ERROR_CODE, errorReply, type ErrorStyle, type Failure, type RestCode } from './errors.ts';
import { flatten, type Source } from './sources.ts';
import type { Dialect, Row } from './table.ts';

const BEARER: readonly RestCode[] = [
  ...(['UNAUTHENTICATED', 'THROTTLED'] as const),
  ...(['INSUFFICIENT_SCOPE', 'ADDRESS_NOT_ALLOWED', 'ACCOUNT_SUSPENDED'] as const),
];
const BODY: readonly RestCode[] = ['BAD_REQUEST', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

const sourcesOf = (row: Row): readonly Source<unknown>[] =>
  flatten(row.variables).flatMap(([, source]) => (source.facts.place === 'constant' ? [] : [source]));

/** Codes a row may answer: its own, and what follows from its sources and its access. */
export function codesOf(row: Row): readonly RestCode[] {
  const sources = sourcesOf(row);
  // A segment that does not fit is another route.
  const canBeUnfit = sources.some(({ facts }) => facts.segment === undefined || facts.place !== 'path');
  const codes: readonly RestCode[] = [
    ...(row.access === 'bearer' ? BEARER : []),
    ...(canBeUnfit ? (['BAD_INPUT'] as const) : []),
    ...(sources.some(({ facts }) => facts.place === 'body') ? BODY : []),
    ...row.errors,
    'INTERNAL',
  ];
  return [...new Set(codes)];
}

/** One example for each code that any row answers, named by it. */
export function describeExamples({ errors, rows }: Dialect): Schema {
  const codes = [...new Set(rows.flatMap(codesOf))].filter((code) => code !== 'BAD_INPUT');
  return Object.fromEntries(codes.map((code) => [code, { value: bodyOf(errors, { code }) }]));
}

/** The error responses of a row by status: codes, headers and what the body says. */
export function describeErrors({ errors }: Dialect, row: Row): Record<string, Schema> {
  const byStatus = new Map<number, RestCode[]>();
  for (const code of codesOf(row)) {
    const { status } = errors.texts[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => {
      const examples = Object.fromEntries(codes.map((code) => [code, exampleOf(errors, row, code)]));
      const content = { 'application/json': { schema: schemaOf(errors, codes), examples } };
      const description = codes.map((code) => `${code} : ${errors.texts[code].message}`).join('\n\n');
      return [status, { description, ...headersOf(status), content }];
    }),
  );
}

const HEADERS: Readonly<Record<number, Schema>> = {
  401: { 'WWW-Authenticate': { schema: { type: 'string', enum: ['Bearer'] } } },
  429: { 'Retry-After': { schema: { type: 'integer', minimum: 1 } } },
};

function headersOf(status: number): { readonly headers?: Schema } {
  const headers = HEADERS[status];
  return headers === undefined ? {} : { headers };
}

/** A field is named as the row's first one would be. */
function exampleOf(style: ErrorStyle, row: Row, code: RestCode): Schema {
  if (code !== 'BAD_INPUT') return { $ref: `#/components/examples/${code}` };
  const [source] = sourcesOf(row);
  if (source === undefined) return { value: bodyOf(style, { code }) };
  return { value: bodyOf(style, { code, source: source.facts, missing: source.facts.required }) };
}

function bodyOf(style: ErrorStyle, failure: Failure): unknown {
  return JSON.parse(errorReply(style, failure).body);
}

function schemaOf(style: ErrorStyle, codes: readonly RestCode[]): Schema {
  const error = { $ref: '#/components/schemas/Error' };
  const narrowed = narrow(style.body.schema, codes);
  return narrowed === undefined ? error : { allOf: [error, narrowed] };
}

/** Of an error body only the way to its code, which is one of these; undefined: the body shows no code. */
function narrow(schema: Schema, codes: readonly RestCode[]): Schema | undefined {
  if (schema === ERROR_CODE.schema) return { type: 'string', enum: codes };
  const members = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>);
  const properties = Object.fromEntries(
    members.flatMap(([name, member]) => {
      const found = narrow(member, codes);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
  return Object.keys(properties).length === 0 ? undefined : { type: 'object', properties };
}
