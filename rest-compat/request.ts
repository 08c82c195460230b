import type { Failure } from './errors.ts';
import { EMPTY_OBJECT, isObject, parseJson, type Json } from './json.ts';

/** A request, as any HTTP server can say it. */
export interface RestRequest {
  readonly method: string;
  /** Path and query string. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly clientAddress: string;
  /** Reads the body, empty when there is none; undefined when it is longer than `maxBytes`. */
  readonly body: (maxBytes: number) => Promise<Uint8Array | undefined>;
}

const JSON_CONTENT = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Longest body that is read. */
export const MAX_BODY_BYTES = 256 * 1024;

/** The JSON object of a request; an empty body counts as `{}`. */
export async function readJson({ headers, body }: RestRequest): Promise<{ readonly json: Json } | Failure> {
  const bytes = await body(MAX_BODY_BYTES);
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
