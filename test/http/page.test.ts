import { gunzipSync } from 'node:zlib';

import { expect, it } from 'vitest';

import { exchange, post, startFixture } from './fixture.ts';

const HTML = { accept: 'text/html,*/*' };

it('lets browsers keep the GraphiQL page for an hour, and tells them when it is still the same', async () => {
  await using fixture = await startFixture();
  const url = `${fixture.origin}/graphql`;
  const page = await exchange(url, { headers: HTML });
  expect(page.status).toBe(200);
  expect(page.headers).toMatchObject({
    'cache-control': 'private, max-age=3600',
    'content-type': 'text/html; charset=utf-8',
    etag: expect.stringMatching(/^W\/"[\w-]{22}"$/),
    vary: 'accept, accept-encoding',
  });
  const etag = page.headers.etag ?? '';
  for (const known of [etag, `"other", ${etag}`, '*', etag.slice(2)]) {
    const same = await exchange(url, { headers: { ...HTML, 'if-none-match': known } });
    expect([same.status, same.body, same.headers.etag]).toEqual([304, '', etag]);
    expect(same.headers['content-security-policy']).toBe(page.headers['content-security-policy']);
  }
  const other = await exchange(url, { headers: { ...HTML, 'if-none-match': '"other"' } });
  expect([other.status, other.body.length]).toEqual([200, page.body.length]);
  expect((await post(fixture.origin, { query: '{ hello }' })).headers['cache-control']).toBe('no-store');
  const read = await exchange(`${url}?query={hello}`, { headers: { accept: 'application/json' } });
  expect(read.headers['cache-control']).toBe('no-store');
});

it('compresses the page for those who can read it', async () => {
  await using fixture = await startFixture();
  const url = `${fixture.origin}/graphql`;
  const plain = await (await fetch(url, { headers: { ...HTML, 'accept-encoding': 'identity' } })).text();
  for (const encodings of ['gzip', 'br, GZIP;q=0.5, *;q=0']) {
    const answer = await exchange(url, { headers: { ...HTML, 'accept-encoding': encodings } });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(answer.bytes).toString()).toBe(plain);
    expect(answer.bytes.length).toBeLessThan(Buffer.byteLength(plain) / 2);
  }
  for (const encodings of ['br', 'gzip;q=0', '']) {
    const answer = await exchange(url, { headers: { ...HTML, 'accept-encoding': encodings } });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(answer.bytes.length).toBe(Buffer.byteLength(plain));
  }
});
