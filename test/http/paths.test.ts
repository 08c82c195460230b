import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CANARY } from '../graphql/fixtureSchema.ts';
import { exchange, startFixture, type RunningFixture } from './fixture.ts';
import { CASES, type Case } from './requests.ts';

const SEEN_HEADERS = [
  'content-type',
  'www-authenticate',
  'retry-after',
  'allow',
  'cache-control',
  'x-content-type-options',
];

interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

async function ask(origin: string, { method = 'GET', path = '', headers = {}, body }: Case): Promise<Seen> {
  const url = encodeURI(`${origin}/graphql${path}`);
  const answer = await exchange(url, { method, headers: { ...headers }, ...(body === undefined ? {} : { body }) });
  // The id that leads from an answer to the log is new every time.
  const text = answer.body.replaceAll(/"requestId":"[0-9a-f]{16}"/g, '"requestId":"…"');
  const seen = Object.fromEntries(SEEN_HEADERS.map((name) => [name, answer.headers[name]]));
  return { status: answer.status, headers: seen, body: text };
}

/** The plain path interprets at the first use and runs compiled code later; Yoga must say the same at all times. */
describe('the plain JSON path and Yoga', () => {
  let plain: RunningFixture;
  let yoga: RunningFixture;
  beforeAll(async () => {
    [plain, yoga] = await Promise.all([startFixture(), startFixture({ alwaysYoga: true })]);
  });
  afterAll(() => Promise.all([plain.server.close(), yoga.server.close()]));

  it.each(CASES.map((request) => [request.name, request] as const))('answer alike: %s', async (_name, request) => {
    const interpreted = await ask(plain.origin, request);
    await ask(plain.origin, request);
    const compiled = await ask(plain.origin, request);
    expect(await ask(yoga.origin, request)).toEqual(interpreted);
    expect(compiled).toEqual(interpreted);
    expect(String(interpreted.body)).not.toContain(CANARY);
    expect(String(interpreted.body)).not.toMatch(/node_modules|\.ts:\d/);
  });
});

describe('statuses and codes', () => {
  it.each([
    ['hello', 200, undefined],
    ['app error', 200, 'BAD_INPUT'],
    ['bug', 200, 'INTERNAL'],
    ['bad leaf', 200, 'INTERNAL'],
    ['syntax error', 200, 'GRAPHQL_PARSE_FAILED'],
    ['syntax error (application/graphql-response+json)', 400, 'GRAPHQL_PARSE_FAILED'],
    ['unknown field (application/graphql-response+json)', 400, 'GRAPHQL_VALIDATION_FAILED'],
    ['missing variable (application/graphql-response+json)', 400, 'BAD_INPUT'],
    ['null for a default', 200, 'BAD_INPUT'],
    ['too costly', 200, 'OPERATION_TOO_COSTLY'],
    ['too costly by variable', 200, 'OPERATION_TOO_COSTLY'],
    ['too deep', 200, 'DOCUMENT_LIMIT_EXCEEDED'],
    ['too many tokens', 200, 'GRAPHQL_PARSE_FAILED'],
    ['too large', 413, 'PAYLOAD_TOO_LARGE'],
    ['form', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['batch', 400, 'BAD_REQUEST'],
    ['subscription without a stream', 406, 'NOT_ACCEPTABLE'],
    ['bad credential', 401, 'UNAUTHENTICATED'],
    ['basic credential', 401, 'UNAUTHENTICATED'],
    ['throttled credential', 429, 'THROTTLED'],
    ['GET of a mutation', 405, 'METHOD_NOT_ALLOWED'],
    ['accepts html only', 406, 'NOT_ACCEPTABLE'],
  ])('%s: %i %s', async (name, status, code) => {
    await using fixture = await startFixture();
    const request = CASES.find((candidate) => candidate.name === name);
    const seen = await ask(fixture.origin, request ?? { name: 'absent', method: 'TRACE' });
    expect(seen.status).toBe(status);
    expect(JSON.parse(String(seen.body)).errors?.[0].extensions.code).toBe(code);
    if (status === 401) expect(seen.headers['www-authenticate']).toBe('Bearer');
    if (status === 429) expect(seen.headers['retry-after']).toBe('9');
  });

  it('logs what it masks, under the id that it answers', async () => {
    await using fixture = await startFixture();
    const { body } = await exchange(`${fixture.origin}/graphql?query=%7Bfail(kind:BUG)%7D`);
    const { requestId } = JSON.parse(body).errors[0].extensions;
    expect(fixture.logged.filter((line) => line.includes(requestId) && line.includes(CANARY))).toHaveLength(1);
  });
});
