/** How a GraphQL answer is encoded. */
export type JsonType = 'application/json' | 'application/graphql-response+json';
export type AnswerType = JsonType | 'text/event-stream';

/** What a client said it can read. */
export interface Acceptable {
  /** The first JSON type that it names; `application/json` for wildcards or without the header. */
  readonly json: JsonType | undefined;
  /** It names `text/event-stream`. */
  readonly stream: boolean;
}

/** Reads `Accept` as GraphQL over HTTP wants it; only UTF-8 is spoken. Weights are ignored, as in Yoga. */
export function acceptable(accept: string | undefined): Acceptable {
  let json: JsonType | undefined;
  let stream = false;
  for (const item of (accept ?? '*/*').toLowerCase().split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim());
    const charset = parameters.find((parameter) => parameter.startsWith('charset='));
    if (charset !== undefined && !/^charset="?utf-8"?$/.test(charset)) continue;
    if (type === 'text/event-stream') stream = true;
    json ??= jsonTypeOf(type);
  }
  return { json, stream };
}

function jsonTypeOf(type: string): JsonType | undefined {
  if (type === 'application/graphql-response+json') return type;
  return type === 'application/json' || type === 'application/*' || type === '*/*' ? 'application/json' : undefined;
}

/**
 * Whether a body is JSON in UTF-8. Only `application/json` is taken: forms and plain text are what a foreign page
 * can send without asking (CSRF).
 */
export function isJson(contentType: string | undefined): boolean {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  if (type !== 'application/json') return false;
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return charset === undefined || /^charset="?utf-8"?$/.test(charset);
}
