import type { ErrorCode } from '../src/errors.ts';
import type { Codec, Expectation } from './codec.ts';
import { text } from './codecs.ts';
import type { Piece } from './shapes.ts';
import type { SourceFacts } from './sources.ts';

/** Failures that never reach an operation. */
export const TRANSPORT_CODES = [
  'BAD_REQUEST',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
] as const;
export type TransportCode = (typeof TRANSPORT_CODES)[number];

export type RestCode = ErrorCode | TransportCode;

/** A failed request, before a dialect words it. */
export interface Failure {
  readonly code: RestCode;
  /** The parameter or body field at fault. */
  readonly source?: SourceFacts | undefined;
  readonly missing?: boolean;
  readonly retryAfterSeconds?: number | undefined;
}

/** What a dialect's error body can show. */
export interface ErrorFacts {
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
}

/** The code in an error body; OpenAPI finds it there and says which codes a response may have. */
export const ERROR_CODE: Codec<string> = { ...text, schema: { ...text.schema } };

/** How a dialect words and shapes errors. */
export interface ErrorStyle {
  readonly texts: Readonly<Record<RestCode, { readonly status: number; readonly message: string }>>;
  /** `{field}` stands for the field's name. */
  readonly missing: string;
  /** `{field}` and `{expected}`. */
  readonly unfit: string;
  /** What `{expected}` becomes, after what the source says about itself; `{choices}`: the allowed values. */
  readonly expected: Readonly<Record<Expectation, string>>;
  readonly body: Piece<ErrorFacts>;
}

/** A reply of the REST layer. */
export interface RestReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers belong to one customer and some carry secrets: nobody keeps a copy. */
export const PRIVATE_JSON = { 'content-type': JSON_TYPE, 'cache-control': 'no-store' };

/** The dialect's reply to a failure. */
export function errorReply(
  style: ErrorStyle,
  failure: Failure,
  headers: Readonly<Record<string, string>> = {},
): RestReply {
  const { status } = style.texts[failure.code];
  const body = style.body.write({
    code: failure.code,
    message: wording(style, failure),
    field: failure.source?.name ?? null,
  });
  return { status, headers: { ...PRIVATE_JSON, ...signals(status, failure), ...headers }, body };
}

/** Headers that HTTP asks for with a status (RFC 9110, sections 11.6.1 and 10.2.3). */
function signals(status: number, { retryAfterSeconds }: Failure): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer' };
  return retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
}

function wording(style: ErrorStyle, { code, source, missing }: Failure): string {
  if (code !== 'BAD_INPUT' || source === undefined) return style.texts[code].message;
  const { name, expects, schema, about } = source;
  const choices = Array.isArray(schema['enum']) ? schema['enum'].join(', ') : '';
  const expected = style.expected[expects].replace('{choices}', choices);
  const sentence = missing === true ? style.missing : style.unfit;
  return sentence
    .replace('{field}', name)
    .replace('{expected}', about === undefined ? expected : `${about} (${expected})`);
}
