import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { codesOf } from '../../rest-compat/openapiErrors.ts';
import { openWorld, SECRETS, type World } from './world.ts';

const JSON_TYPE = 'application/json; charset=utf-8';
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const paths = [...new Set(lpf.rows.map(({ path }) => path))].map((path) => ({
  path,
  offered: lpf.rows.filter((row) => row.path === path).map(({ method }) => method),
}));

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(() => world[Symbol.asyncDispose]());

function send(method: string, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${SECRETS.prod}` };
  return fetch(world.http + path.replace(':id', '1'), { method, headers });
}

const namesIn = (allow: string | null): readonly string[] => (allow ?? '').split(', ').toSorted();

describe.each(paths)('$path', ({ path, offered }) => {
  const allowed = [...offered, ...(offered.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].toSorted();

  it('says to OPTIONS what it offers', async () => {
    const response = await send('OPTIONS', path);
    expect(response.status).toBe(200);
    expect(namesIn(response.headers.get('allow'))).toEqual(allowed);
    expect(await response.text()).toBe('');
  });

  it('refuses other methods, and names what it offers', async () => {
    for (const method of METHODS.filter((one) => !offered.includes(one))) {
      const response = await send(method, path);
      expect(response.status, method).toBe(405);
      expect(namesIn(response.headers.get('allow')), method).toEqual(allowed);
      expect(response.headers.get('content-type'), method).toBe(JSON_TYPE);
      expect(response.headers.get('cache-control'), method).toBe('no-store');
      expect(await response.json(), method).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    }
  });

  it('answers HEAD as GET, without the body', async () => {
    const head = await send('HEAD', path);
    expect(await head.text()).toBe('');
    expect(head.headers.get('content-type')).toBe(JSON_TYPE);
    expect(head.headers.get('cache-control')).toBe('no-store');
    if (!offered.includes('GET')) return expect(head.status).toBe(405);
    const get = await send('GET', path);
    expect(head.status).toBe(get.status);
    // What a GET would have been long; some answers differ in length from one second to the next.
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(2);
  });
});

describe('statuses', () => {
  it('never say 402: credit is spent through the proxy alone, which refuses with reply 02 and OUT_OF_CREDIT', () => {
    const statuses = lpf.rows.flatMap((row) => codesOf(row).map((code) => lpf.errors.texts[code].status));
    expect(statuses).not.toContain(402);
    expect(lpf.errors.texts.INSUFFICIENT_CREDIT.status).toBe(402);
  });

  it.each(['/nowhere', '/keys/1/nowhere', '/keys/x', '/auth'])('%s is no route', async (path) => {
    const response = await send('GET', path);
    expect(response.status).toBe(404);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });
});

describe('a fault of ours', () => {
  it('is INTERNAL on every route that needs the database, in French and without a word about it', async () => {
    await using broken = await openWorld();
    const { message } = (await (await fetch(`${broken.http}/auth/nonce${OWN}`)).json()) as { message: string };
    await broken.services.db.close();
    for (const { method, path } of lpf.rows) {
      const url = path.replace(':id', '1');
      const request = lpf.examples[`${method} ${path}`]?.request;
      const response = await fetch(`${broken.http}${url}${QUERIES[url] ?? ''}`, {
        method,
        headers: { authorization: `Bearer ${SECRETS.prod}`, 'content-type': 'application/json' },
        ...(request !== undefined && { body: JSON.stringify({ ...request, address, message }) }),
      });
      const body = (await response.json()) as { code: string; error: string };
      expect(body, `${method} ${path}`).toEqual({ error: lpf.errors.texts.INTERNAL.message, code: 'INTERNAL' });
      expect(response.status).toBe(500);
    }
  });
});

const address = `0x${'ab'.repeat(20)}`;
const OWN = `?address=${address}`;
const QUERIES: Readonly<Record<string, string>> = { '/auth/nonce': OWN, '/auth/verify-email': '?token=x' };
