import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { OperationContext, ViewerContext } from '../../../src/context.ts';
import { sql } from '../../../src/database/sql.ts';
import { createSession, type OpenedSession } from '../../../src/resolvers/auth/createSession.ts';
import { refreshSession } from '../../../src/resolvers/auth/refreshSession.ts';
import { readRefreshToken, signRefreshToken } from '../../../src/resolvers/auth/tokens.ts';
import { encodeNodeId } from '../../../src/schema/ids.ts';
import { openAuthenticator, type TestAuthenticator } from '../../harness/authenticator.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  recordsOf,
  run,
  viewerOf,
  type TestAccount,
  type TestServices,
} from '../../harness/context.ts';

let services: TestServices;
let authenticator: TestAuthenticator;
let auth: TestAuthenticator['auth'];
beforeAll(async () => {
  services = await openTestServices();
  authenticator = openAuthenticator(services);
  auth = authenticator.auth;
});
afterAll(async () => {
  await authenticator[Symbol.asyncDispose]();
  await services[Symbol.asyncDispose]();
});

interface Open extends OpenedSession {
  readonly account: TestAccount;
  readonly id: string;
  readonly refreshToken: string;
  readonly ctx: ViewerContext;
}

/** A session of an account, opened from 127.0.0.7. */
async function open(account?: TestAccount): Promise<Open> {
  const owner = account ?? (await makeAccount(services));
  const from = contextOf(services, null, '127.0.0.7');
  const opened = await createSession(from, owner.user.id, 'GRAPHQL');
  const viewer = await auth.bearer(opened.token, '127.0.0.7');
  const { refreshToken } = opened;
  if (refreshToken === null || viewer.sessionId === null) throw new Error('no session');
  return { ...opened, refreshToken, account: owner, id: viewer.sessionId, ctx: { ...from, viewer } };
}

const anybody = (): OperationContext => contextOf(services, null, '127.0.0.9');
const refresh = (token: string): ReturnType<typeof refreshSession> => refreshSession(anybody(), token);
const bearer = (token: string): Promise<unknown> => auth.bearer(token, '127.0.0.1');

/** Lets time pass for a session, by the clock of the database. */
async function later(id: string, seconds: number): Promise<void> {
  const text = `update session set rotated_at = rotated_at - make_interval(secs => $2) where id = $1::uuid`;
  await services.db.query({ name: 'testLater', text }, [id, seconds]);
}

async function setUser(id: bigint, suspended: boolean): Promise<void> {
  const text = 'update users set suspended_at = case when $2 then now() end where id = $1';
  await services.db.query({ name: 'testSuspend', text }, [id, suspended]);
  const event = { accountId: id, keyId: null, sessionId: null, lookups: [] };
  services.events.publish('credentialsChanged', { ...event, revoked: suspended });
}

const INVALID = { code: 'INVALID_REFRESH_TOKEN', status: 401 };

describe('a refresh token', () => {
  test('buys the next one and a token of the same session, and puts its end off', async () => {
    const { id, account, refreshToken } = await open();
    const text = `update session set expires_at = now() + interval '1 minute' where id = $1::uuid returning expires_at`;
    await services.db.query({ name: 'testEnd', text }, [id]);
    const next = await refresh(refreshToken);
    expect(next.user).toEqual(account.user);
    expect(next.refreshToken).not.toBe(refreshToken);
    expect(decodeJwt(next.token)).toMatchObject({ sid: id, sub: account.user.id.toString() });
    expect(await auth.bearer(next.token, '127.0.0.1')).toMatchObject({ sessionId: id });
    const again = await refresh(next.refreshToken);
    expect(readRefreshToken(services.keys, again.refreshToken)).toEqual({ sessionId: id, generation: 2 });
    const [row] = await services.db.query<{ days: number }>(
      { name: 'testDays', text: `select extract(day from expires_at - now())::int as days from session where id = $1` },
      [id],
    );
    expect(row?.days).toBe(29);
  });

  test('50 exchanges at once: one new token, for everybody, and one family', async () => {
    const { id, refreshToken } = await open();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(refreshToken)));
    expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1);
    expect(new Set(answers.map(({ token }) => decodeJwt(token)['sid']))).toEqual(new Set([id]));
    const text = 'select generation from session where id = $1::uuid and revoked_at is null';
    expect(await services.db.query({ name: 'testGeneration', text }, [id])).toEqual([{ generation: 1 }]);
    await refresh(answers[0]?.refreshToken ?? '');
  });

  test('is answered alike for 30 seconds; after that its session ends, for whoever holds it', async () => {
    const { id, account, refreshToken } = await open();
    const next = await refresh(refreshToken);
    await later(id, 29);
    expect((await refresh(refreshToken)).refreshToken).toBe(next.refreshToken);
    await later(id, 2);
    await bearer(next.token);
    await expect(refresh(refreshToken)).rejects.toMatchObject(INVALID);
    await expect(refresh(next.refreshToken)).rejects.toMatchObject(INVALID);
    await expect(bearer(next.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const reused = { action: 'REFRESH_TOKEN_REUSED', address: '127.0.0.9', detail: { sessionId: id } };
    const records = await recordsOf(services, account.user.id);
    expect(records.filter(({ action }) => action === reused.action)).toEqual([expect.objectContaining(reused)]);
    expect(services.published.at(-1)).toEqual({
      name: 'credentialsChanged',
      event: { accountId: account.user.id, keyId: null, sessionId: id, revoked: true, lookups: [] },
    });
  });

  test('two generations old is refused at once, with its session, and leaves others alone', async () => {
    const { account, refreshToken } = await open();
    const other = await open(account);
    const { refreshToken: second } = await refresh(refreshToken);
    const { refreshToken: third, token } = await refresh(second);
    await expect(refresh(refreshToken)).rejects.toMatchObject(INVALID);
    await expect(refresh(third)).rejects.toMatchObject(INVALID);
    await expect(bearer(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await refresh(other.refreshToken);
    await bearer(other.token);
    await bearer(account.secret);
  });

  test('of a session that is over is refused, and nothing is put on record', async () => {
    const { id, account, refreshToken } = await open();
    const text = 'update session set expires_at = now() where id = $1::uuid';
    await services.db.query({ name: 'testOver', text }, [id]);
    await expect(refresh(refreshToken)).rejects.toMatchObject(INVALID);
    expect((await recordsOf(services, account.user.id)).map(({ action }) => action)).not.toContain(
      'REFRESH_TOKEN_REUSED',
    );
  });

  test('that is not ours is refused, as often as it comes', async () => {
    const { id, refreshToken } = await open();
    const stranger = { ...services.keys, refresh: Buffer.alloc(32) };
    const flipped = refreshToken.slice(0, 30) + (refreshToken[30] === 'A' ? 'B' : 'A') + refreshToken.slice(31);
    const session = (await open()).token;
    const wrong = [
      '',
      'x',
      flipped,
      refreshToken.slice(1),
      `${refreshToken}A`,
      signRefreshToken(stranger, id, 0),
      session,
    ];
    for (let round = 0; round < 3; round += 1)
      for (const token of wrong) await expect(refresh(token)).rejects.toMatchObject(INVALID);
    // Whoever comes from the same address with the right one is not locked out.
    await refresh(refreshToken);
  });

  test('of a suspended account says so and stays good until it is resumed', async () => {
    const { account, refreshToken } = await open();
    await setUser(account.user.id, true);
    await expect(refresh(refreshToken)).rejects.toMatchObject({ code: 'ACCOUNT_SUSPENDED', status: 403 });
    await setUser(account.user.id, false);
    await refresh(refreshToken);
  });
});

const SESSIONS = '{ viewer { user { sessions { id kind address current active refreshedAt } } } }';
const REVOKE = `mutation ($id: ID) { revokeSession(input: { id: $id }) {
  ... on RevokeSessionSuccess { session { id active } } ... on Error { code message } } }`;

async function sessionsOf(ctx: OperationContext): Promise<{ id: string; current: boolean }[]> {
  const { data } = await run(ctx, SESSIONS);
  return (data as { viewer: { user: { sessions: { id: string; current: boolean }[] } } }).viewer.user.sessions;
}

const REVOKE_OTHERS = `mutation ($id: ID) { revokeSession(input: { id: $id, others: true }) {
  ... on RevokeSessionSuccess { session { id } count } ... on Error { code ... on InputError { field } } } }`;
const MANY_SESSIONS = sql(
  'testManySessions',
  `insert into session (user_id, kind, expires_at)
   select $1, 'GRAPHQL', now() + interval '1 day' from generate_series(1, 120)`,
);

describe('sessions', () => {
  const globalId = (id: string): string => encodeNodeId('Session', id);

  test('all others end at once, also those that the list does not show; by an API key every one', async () => {
    const first = await open();
    const { user, apiKey } = first.account;
    await services.db.query(MANY_SESSIONS, [user.id]);
    expect(await sessionsOf(first.ctx)).toHaveLength(100);
    const others = async (ctx: OperationContext, id?: string): Promise<unknown> =>
      (await run(ctx, REVOKE_OTHERS, { id })).data?.['revokeSession'];
    expect(await others(first.ctx, globalId(first.id))).toMatchObject({ code: 'BAD_INPUT', field: 'id' });
    expect(await others(first.ctx)).toEqual({ session: null, count: 120 });
    expect((await sessionsOf(first.ctx)).map(({ id }) => id)).toEqual([globalId(first.id)]);
    await bearer(first.token);
    expect(await others(first.ctx)).toEqual({ session: null, count: 0 });
    expect(await others(contextOf(services, viewerOf(user, apiKey)))).toEqual({ session: null, count: 1 });
    await expect(bearer(first.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const records = (await recordsOf(services, user.id)).filter(({ action }) => action === 'SESSION_REVOKED');
    expect(records.map(({ detail }) => detail)).toEqual([
      { others: true, count: '120' },
      { others: true, count: '1' },
    ]);
  });

  test('are listed for their user, the newest first; an API key sees them too', async () => {
    const first = await open();
    const second = await open(first.account);
    await refresh(first.refreshToken);
    const shown = { kind: 'GRAPHQL', address: '127.0.0.7', active: true };
    expect(await sessionsOf(first.ctx)).toEqual([
      { ...shown, id: globalId(second.id), current: false, refreshedAt: null },
      { ...shown, id: globalId(first.id), current: true, refreshedAt: expect.stringMatching(/Z$/) },
    ]);
    const { user, apiKey } = first.account;
    const byKey = await sessionsOf(contextOf(services, viewerOf(user, apiKey)));
    expect(byKey.map(({ current }) => current)).toEqual([false, false]);
  });

  test('are nobody else’s business, the operator’s neither', async () => {
    const { account, id } = await open();
    const admin = await makeAccount(services, { role: 'ADMIN' });
    const document = 'query ($id: ID!) { node(id: $id) { ... on User { sessions { id } } ... on Session { kind } } }';
    const asked = (ctx: OperationContext, of: string): Promise<unknown> =>
      run(ctx, document, { id: of }).then(({ data, errors }) =>
        errors === undefined ? data?.['node'] : errors[0]?.originalError,
      );
    expect(await asked(admin.ctx, encodeNodeId('User', account.user.id))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await asked(admin.ctx, globalId(id))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await asked(account.ctx, globalId(id))).toEqual({ kind: 'GRAPHQL' });
  });

  test('end by sign-out: this one without an id, others by it, each once', async () => {
    const first = await open();
    const second = await open(first.account);
    const third = await open(first.account);
    const out = async (ctx: OperationContext, id?: string): Promise<unknown> =>
      (await run(ctx, REVOKE, { id })).data?.['revokeSession'];
    expect(await out(first.ctx, globalId(second.id))).toEqual({ session: { id: globalId(second.id), active: false } });
    await expect(bearer(second.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(refresh(second.refreshToken)).rejects.toMatchObject(INVALID);
    expect(await out(first.ctx, globalId(second.id))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await out(first.ctx)).toEqual({ session: { id: globalId(first.id), active: false } });
    await expect(bearer(first.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await bearer(third.token);
    expect((await sessionsOf(third.ctx)).map(({ id }) => id)).toEqual([globalId(third.id)]);
    const { user, apiKey } = first.account;
    const byKey = contextOf(services, viewerOf(user, apiKey));
    expect(await out(byKey)).toMatchObject({ code: 'BAD_INPUT' });
    expect(await out(byKey, globalId(third.id))).toHaveProperty('session');
    const ended = (await recordsOf(services, user.id)).filter(({ action }) => action === 'SESSION_REVOKED');
    expect(ended.map(({ session_id: by, key_id: key, detail }) => [by, key, detail['sessionId']])).toEqual([
      [first.id, null, second.id],
      [first.id, null, first.id],
      [null, apiKey.id, third.id],
    ]);
  });
});

describe('a suspended account', () => {
  test('is told so at the door, by key and by session, and is let in again when it is resumed', async () => {
    const { account, token } = await open();
    await bearer(account.secret);
    await setUser(account.user.id, true);
    for (const credential of [account.secret, token])
      await expect(bearer(credential)).rejects.toMatchObject({ code: 'ACCOUNT_SUSPENDED', status: 403 });
    expect(await auth.proxyKey(account.secret, '127.0.0.1', 'SHARED')).toMatchObject({
      key: { keyId: account.apiKey.id },
      denial: { code: 'ACCOUNT_SUSPENDED' },
    });
    await setUser(account.user.id, false);
    await bearer(account.secret);
    await bearer(token);
    expect(await auth.proxyKey(account.secret, '127.0.0.1', 'SHARED')).not.toHaveProperty('denial');
  });
});
