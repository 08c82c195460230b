import { createHash } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { createRestHandler } from '../../rest-compat/handler.ts';
import type { RestReply } from '../../rest-compat/errors.ts';
import { MAX_REVEALS } from '../../src/throttle.ts';
import { openWorld, SECRETS, type World } from './world.ts';

let world: World;
let handle: ReturnType<typeof createRestHandler>;

beforeAll(async () => {
  world = await openWorld();
  handle = createRestHandler({ executor: world.executor, dialects: [lpf], publicUrl: () => 'http://localhost:4000' });
});
afterAll(() => world[Symbol.asyncDispose]());

function send(method: string, url: string, body = '', secret: string = SECRETS.prod): Promise<RestReply> {
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
  return handle({ method, url, headers, clientAddress: '127.0.0.1', body: async () => Buffer.from(body) });
}

describe('ids of others', () => {
  const rows = lpf.rows.filter(({ path }) => path.includes(':id'));
  it.each(rows.map(({ method, path }) => ({ method, path })))('$method $path: as unknown ones', async (row) => {
    const foreign = await send(row.method, row.path.replace(':id', '3'), '{"name":"x"}');
    const unknown = await send(row.method, row.path.replace(':id', '4711'), '{"name":"x"}');
    expect(foreign.status).toBe(404);
    expect(foreign).toEqual(unknown);
  });

  it('in a filter: as unknown ones', async () => {
    const foreign = await send('GET', '/keys/transactions?api_key_id=3');
    expect(foreign.status).toBe(404);
    expect(foreign).toEqual(await send('GET', '/keys/transactions?api_key_id=4711'));
  });
});

describe('every row that wants a credential', () => {
  const rows = lpf.rows.filter(({ access }) => access === 'bearer');
  it.each(rows.map(({ method, path }) => ({ method, path })))('$method $path: refuses before it reads', async (row) => {
    const url = row.path.replace(':id', '1');
    const unread = () => expect.fail('the body was read');
    const reply = await handle({ method: row.method, url, headers: {}, clientAddress: '127.0.0.1', body: unread });
    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toBe('Bearer');
    expect(JSON.parse(reply.body)).toEqual({ error: expect.any(String), code: 'UNAUTHENTICATED' });
  });
});

describe('OpenAPI', () => {
  it('is served without a credential, under both names', async () => {
    const replies = await Promise.all(
      ['/openapi.json', '/openapi/lpf.json'].map((url) => send('GET', url, '', 'none')),
    );
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(replies[0]?.body).toBe(replies[1]?.body);
    expect(JSON.parse(replies[0]?.body ?? '')).toMatchObject({
      openapi: '3.0.3',
      servers: [{ url: 'http://localhost:4000' }],
    });
  });
});

describe('any body and query', () => {
  const total = Number(process.env['REST_FUZZ'] ?? 5_000);
  const seed = process.env['REST_FUZZ_SEED'] ?? 'passerelle';

  it(`${total} requests (seed ${seed}) get an answer below 500`, { timeout: 60_000 + total * 20 }, async () => {
    const random = randomOf(seed);
    const counts = new Map<number, number>();
    for (let done = 0; done < total; done += 1) {
      const row = random.pick(lpf.rows.filter(({ path }) => !path.endsWith('regenerate')));
      // Sign-in runs argon2, which would take all the time; revoking ends the credential in use.
      if (row.path === '/auth/login' && done % 50 !== 0) continue;
      const url = row.path.replace(':id', random.pick(row.method === 'DELETE' ? FOREIGN : IDS)) + random.query();
      const body = random.body();
      const reply = await send(row.method, url, body);
      counts.set(reply.status, (counts.get(reply.status) ?? 0) + 1);
      expect(reply.status, `${row.method} ${url} ${body}`).toBeLessThan(500);
      expect(() => JSON.parse(reply.body) as unknown, `${row.method} ${url} ${body}`).not.toThrow();
      expect(reply.body).not.toMatch(/\bat .*\.ts|select |insert |syntax error/i);
    }
    expect([...counts.keys()]).toEqual(expect.arrayContaining([200, 400, 404]));
    expect(world.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});

describe('reveals', () => {
  it('beyond the allowed number are 429 with the seconds to wait', async () => {
    const reveal = (): Promise<RestReply> => send('GET', '/keys/3/reveal', '', SECRETS.stranger);
    for (let n = 0; n < MAX_REVEALS; n += 1) expect((await reveal()).status).toBe(200);
    const refused = await reveal();
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body)).toEqual({ error: expect.any(String), code: 'THROTTLED' });
    const wait = Number(refused.headers['retry-after']);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(900);
  });
});

describe('parallel creation', () => {
  it('of 50 keys leaves exactly 10 active ones', async () => {
    const secret = SECRETS.stranger;
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => send('POST', '/keys', '{"name":"race"}', secret)),
    );
    const refused = replies.filter(({ status }) => status === 409);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(9);
    expect(refused).toHaveLength(41);
    expect(JSON.parse(refused[0]?.body ?? '')).toMatchObject({ code: 'KEY_LIMIT_REACHED' });
    const { keys } = JSON.parse((await send('GET', '/keys', '', secret)).body) as { keys: { active: number }[] };
    expect(keys.filter(({ active }) => active === 1)).toHaveLength(10);
  });
});

const IDS = ['1', '2', '3', '0', '99999999999999999999', '00001', 'abc', '-1', '%31', '1e3', '١', ''];
const FOREIGN = ['3', '0', '4711', '9'.repeat(30), 'x'];
const NAMES = [
  'name',
  'daily_limit',
  'weekly_limit',
  'monthly_limit',
  'email',
  'password',
  'id',
  '__proto__',
  'input',
  '',
];
const VALUES = [
  ...['null', 'true', '0', '-1', '1e400', '-0.0', '1e-9', '9223372036.854775808', '0.1', '1E+2', '0.00000000001'],
  ...['"x"', '""', '" "', '"\\u0000"', '"\\ud800"', '"é😀"', '"1"', '[]', '{}', '[[[]]]', '{"a":{"b":null}}', '"%00"'],
  ...['undefined', 'NaN', '01', '+1', "'x'", `"${'y'.repeat(5_000)}"`, '9'.repeat(400), '"a\nb"', '"\\x"'],
];
const PARAMETERS = ['days', 'page', 'limit', 'type', 'subtype', 'api_key_id', 'extra'];
const TEXTS = [
  '1',
  '0',
  '-1',
  '1.5',
  '',
  'deposit',
  'consumption',
  '9'.repeat(25),
  '%00',
  '%ZZ',
  '%F0%9F%98%80',
  '1e9',
  '2147483648',
];

/** The same choices for the same seed, on every machine. */
function randomOf(seed: string) {
  let counter = 0;
  const below = (limit: number): number => {
    counter += 1;
    return createHash('sha256').update(`${seed} ${counter}`).digest().readUInt32BE() % limit;
  };
  const pick = <Item>(items: readonly Item[]): Item =>
    items[below(items.length)] ?? expect.fail('nothing to pick from');
  const some = <Item>(most: number, make: () => Item): Item[] => Array.from({ length: below(most + 1) }, make);
  const object = (): string => `{${some(5, () => `"${pick(NAMES)}":${pick(VALUES)}`).join(',')}}`;
  /** Cuts, doubles or replaces a piece of the text. */
  const spoil = (text: string): string => {
    const at = below(text.length + 1);
    return (
      text.slice(0, at) +
      pick(['', '"', '{', '}', ',', '\u0000', '\\', '\ufeff', text.slice(at)]) +
      text.slice(at + below(3))
    );
  };
  return {
    pick,
    query: () => (below(2) === 0 ? '' : `?${some(4, () => `${pick(PARAMETERS)}=${pick(TEXTS)}`).join('&')}`),
    body: () => (below(4) === 0 ? spoil(object()) : below(20) === 0 ? pick(VALUES) : object()),
  };
}
