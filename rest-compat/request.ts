import type { Failure } from './errors.ts';
import { EMPTY_OBJECT, isObject, parseJson, type Json } from './json.ts';
import type { RequestParts } from './sources.ts';

/** A request, as any HTTP server can say it. */
export interface RestRequest {
  readonly method: string;
  /** Path without the query, as sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly clientAddress: string;
  /** Empty when there is none; undefined when it was too long to keep. */
  readonly body: Uint8Array | undefined;
}

const JSON_CONTENT = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The JSON object of a request; an empty body counts as `{}`, undefined is one that was too long to keep. */
export function readJson(
  headers: RequestParts['headers'],
  bytes: Uint8Array | undefined,
): { readonly json: Json } | Failure {
  if (bytes === undefined) return { code: 'PAYLOAD_TOO_LARGE' };
  if (bytes.length === 0) return { json: EMPTY_OBJECT };
  const { 'content-type': type = 'application/json', 'content-encoding': encoding = 'identity' } = headers;
  if (typeof type !== 'string' || !JSON_CONTENT.test(type) || encoding !== 'identity')
    return { code: 'UNSUPPORTED_MEDIA_TYPE' };
  try {
    const json = parseJson(UTF8.decode(bytes));
    return isObject(json) ? { json } : { code: 'BAD_REQUEST' };
  } catch {
    return { code: 'BAD_REQUEST' };
  }
}
