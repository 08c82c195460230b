import { expect, test } from 'vitest';

import { hasChromium, launchChromium } from '../harness/chromium.ts';
import { ADMIN, startServer } from '../harness/server.ts';

/** The first account has a name that is no address on the Internet: a customer's is needed. */
const EMAIL = 'reader@example.com';

test('the page speaks the language of the browser, and nothing but its own script may run', async () => {
  await using server = await startServer();
  const get = (language: string): Promise<Response> =>
    fetch(`${server.ready.http}/reset-password?token=x`, { headers: { 'accept-language': language } });
  const english = await get('de, en;q=0.9, fr;q=0.8');
  expect([english.status, english.headers.get('content-language')]).toEqual([200, 'en']);
  expect(english.headers.get('cache-control')).toBe('no-store');
  expect(english.headers.get('referrer-policy')).toBe('no-referrer');
  expect(english.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-[^;]+';/);
  const french = await get('fr-CH, en');
  expect([french.headers.get('content-language'), french.headers.get('vary')]).toEqual(['fr', 'accept-language']);
  expect(await french.text()).toContain('<h1>Choisissez un nouveau mot de passe</h1>');
  const post = await fetch(`${server.ready.http}/reset-password`, { method: 'POST' });
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test.skipIf(!hasChromium)(
  'in a browser (package chromium) the link of the mail sets a new password, once',
  async () => {
    await using server = await startServer();
    const { http } = server.ready;
    await server.graphql(
      `mutation { createAccount(input: { email: "${EMAIL}", password: "${ADMIN.password}" }) { __typename } }`,
    );
    await server.rest('POST', '/auth/forgot-password', { credential: null, body: { email: EMAIL } });
    await expect.poll(() => server.logs, { timeout: 15_000 }).toContain('a mail lies in the outbox');
    const link = /"link":"([^"]+)"/.exec(server.logs)?.[1] ?? '';
    expect(link).toMatch(/\/reset-password\?token=[\w-]{43}$/);
    const address = link.replace(/^https?:\/\/[^/]+/, http);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const choose = async (password: string): Promise<string> => {
        await page.goto(address);
        expect(page.url()).toBe(`${http}/reset-password`);
        await page.fill('input', password);
        await page.click('button');
        await expect.poll(() => page.innerText('output')).not.toBe('');
        return page.innerText('output');
      };
      expect(await choose('chosen in a browser')).toContain('The password is set.');
      expect(await choose('chosen once more')).toContain('was used or has expired');
    } finally {
      await browser.close();
    }
    const signIn = (password: string) =>
      server.rest('POST', '/auth/login', { credential: null, body: { email: EMAIL, password } });
    expect((await signIn('chosen in a browser')).status).toBe(200);
    expect((await signIn('chosen once more')).status).toBe(401);
  },
);
