import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { describe, expect, test } from 'vitest';

import { openMailbox, parseMail, tokenOf } from '../harness/mailbox.ts';
import { ADMIN, startServer, type TestServer } from '../harness/server.ts';

const PASSWORD = 'une longue phrase secrète';
/** Of polls: far above what they take. */
const PATIENCE = { timeout: 20_000 };
const LOGIN = { user: 'robot', password: 'smtp-secret-4711' };

/** A route of the documentation, as its clients call it. */
const post = (server: TestServer, route: string, body: object, credential: string | null = null) =>
  server.rest<Record<string, unknown>>('POST', route, { credential, body });

const codeOf = async (
  server: TestServer,
  name: string,
  input: Record<string, unknown>,
): Promise<{ code?: string; retryAfterSeconds?: number }> => {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const failure = '... on Error { code } ... on ThrottledError { retryAfterSeconds }';
  const { data } = await server.graphql<Record<string, { code?: string; retryAfterSeconds?: number }>>(
    `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ${failure} } }`,
    { input },
    null,
  );
  return data?.[name] ?? {};
};

describe('with an SMTP server', () => {
  test('an account from its first mail to a new password, in French, and nothing secret in the log', async () => {
    await using mailbox = await openMailbox({ login: LOGIN, tls: true });
    await using server = await startServer({
      env: {
        SMTP_URL: `smtp://${LOGIN.user}:${LOGIN.password}@127.0.0.1:${mailbox.port}?tls.rejectUnauthorized=false`,
        MAIL_FROM: 'Le Proxy, SARL <bot@example.com>',
        LOG_LEVEL: 'trace',
      },
    });
    const email = 'zoe@example.com';
    const registered = await post(server, '/auth/register', { username: 'Zoé', email, password: PASSWORD });
    expect(registered).toMatchObject({ status: 200, body: { success: true } });
    expect(await post(server, '/auth/login', { email, password: PASSWORD })).toMatchObject({
      status: 403,
      body: { code: 'EMAIL_NOT_VERIFIED' },
    });
    const [first] = await mailbox.atLeast(1);
    expect(first).toMatchObject({ from: 'bot@example.com', to: [email], secure: true, user: 'robot' });
    expect(first!.mail).toMatchObject({
      subject: 'Confirmez votre adresse email',
      from: { name: 'Le Proxy, SARL', address: 'bot@example.com' },
    });
    const link = /http:\S+/.exec(first!.mail.text ?? '')?.[0] ?? '';
    expect(link).toBe(
      `http://localhost:${new URL(server.ready.http).port}/auth/verify-email?token=${tokenOf(first!.mail)}`,
    );
    expect(first!.mail.html).toContain(`<a href="${link}">`);
    const followed = await fetch(link.replace('localhost', '127.0.0.1'));
    expect(await followed.json()).toEqual({ success: true, message: 'Email vérifié avec succès' });
    const session = await post(server, '/auth/login', { email, password: PASSWORD });
    expect(session.body).toMatchObject({ token: expect.any(String), user: { email } });

    await post(server, '/auth/forgot-password', { email });
    const second = (await mailbox.atLeast(2))[1]!;
    expect(second.mail.subject).toBe('Choisissez un nouveau mot de passe');
    const token = tokenOf(second.mail);
    const password = 'une autre phrase';
    expect((await post(server, '/auth/reset-password', { token, password })).status).toBe(200);
    const old = await server.rest('GET', '/auth/me', { credential: String(session.body['token']) });
    expect(old.status).toBe(401);
    expect((await post(server, '/auth/login', { email, password })).status).toBe(200);
    expect((await mailbox.atLeast(3))[2]!.mail.subject).toBe('Votre mot de passe a été modifié');
    await server.stop();
    const tokens = mailbox.received.slice(0, 2).map(({ mail }) => tokenOf(mail));
    for (const secret of [LOGIN.password, PASSWORD, password, email, ...tokens])
      expect(server.logs).not.toContain(secret);
  });

  test('a mail that was queued before the server was killed arrives after it started again, once', async () => {
    const mailbox = await openMailbox();
    const { port } = mailbox;
    await mailbox[Symbol.asyncDispose]();
    await using server = await startServer({ env: { SMTP_URL: `smtp://127.0.0.1:${port}` } });
    const input = { username: 'zoe', email: 'zoe@example.com', password: PASSWORD };
    expect(await codeOf(server, 'signUp', input)).toEqual({ __typename: 'SignUpSuccess' });
    await expect.poll(() => server.logs, PATIENCE).toContain('it will be tried again');
    await server.kill();
    await using later = await openMailbox({ port });
    await server.start();
    const [mail] = await later.atLeast(1);
    expect(mail!.mail.subject).toBe('Confirm your e-mail address');
    await server.stop();
    expect(later.received).toHaveLength(1);
  });
});

test('without one, mails are files, and the link is in the log', async () => {
  await using server = await startServer({ env: { PUBLIC_URL: 'https://proxy.example/' } });
  const input = { username: 'zoe', email: 'zoe@example.com', password: PASSWORD };
  await codeOf(server, 'signUp', input);
  await expect.poll(() => server.logs, PATIENCE).toContain('a mail lies in the outbox');
  const line = server.logs.split('\n').find((text) => text.includes('outbox')) ?? '';
  const { link, file } = JSON.parse(line) as { link: string; file: string };
  expect(path.dirname(file)).toBe(path.join(server.dataDir, 'outbox'));
  expect(await readdir(path.dirname(file))).toEqual([path.basename(file)]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const mail = await parseMail(await readFile(file));
  expect(mail).toMatchObject({
    from: { name: 'Passerelle', address: 'no-reply@proxy.example' },
    to: [{ address: 'zoe@example.com' }],
  });
  expect(link).toBe(`https://proxy.example/auth/verify-email?token=${tokenOf(mail)}`);
  expect(line).not.toContain('zoe@');
  const { pathname, search } = new URL(link);
  expect((await server.rest('GET', pathname + search, { credential: null })).status).toBe(200);
  expect(await codeOf(server, 'signIn', { email: 'zoe@example.com', password: PASSWORD })).toEqual({
    __typename: 'SignInSuccess',
  });
});

test('REST and GraphQL count failures and mails together', async () => {
  await using server = await startServer({ env: { AUTH_MAX_FAILURES: '4' } });
  for (const email of [ADMIN.email, 'nobody@example.com']) {
    for (let failures = 0; failures < 2; failures += 1) {
      expect((await post(server, '/auth/login', { email, password: 'wrong' })).status).toBe(401);
      expect(await codeOf(server, 'signIn', { email, password: 'wrong' })).toMatchObject({
        code: 'INVALID_CREDENTIALS',
      });
    }
    const graphql = await codeOf(server, 'signIn', { email, password: ADMIN.password });
    expect(graphql).toMatchObject({ code: 'THROTTLED', retryAfterSeconds: expect.any(Number) });
    const rest = await post(server, '/auth/login', { email, password: ADMIN.password });
    expect(rest).toMatchObject({ status: 429, body: { code: 'THROTTLED' } });
    expect(Number(rest.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  for (const email of ['person@example.com', 'nobody@example.com']) {
    const asked = { email };
    expect((await post(server, '/auth/forgot-password', asked)).status).toBe(200);
    expect((await post(server, '/auth/resend-verification', asked)).status).toBe(200);
    expect(await codeOf(server, 'requestPasswordReset', asked)).not.toHaveProperty('code');
    expect(await codeOf(server, 'resendVerification', asked)).not.toHaveProperty('code');
    expect((await post(server, '/auth/forgot-password', asked)).status).toBe(200);
    expect(await codeOf(server, 'requestPasswordReset', asked)).toMatchObject({ code: 'THROTTLED' });
    const refused = await post(server, '/auth/resend-verification', asked);
    expect(refused).toMatchObject({ status: 429, body: { code: 'THROTTLED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  }
});
