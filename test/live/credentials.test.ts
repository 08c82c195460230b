import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { ViewerContext } from '../../src/context.ts';
import { sql, type Sql } from '../../src/database/sql.ts';
import { localEvents, type CredentialRef } from '../../src/events.ts';
import { watchCredentials } from '../../src/live/credentials.ts';
import { regenerateApiKey } from '../../src/resolvers/apiKeys/regenerateApiKey.ts';
import { revokeApiKey } from '../../src/resolvers/apiKeys/revokeApiKey.ts';
import { rotateApiKey } from '../../src/resolvers/apiKeys/rotateApiKey.ts';
import { updateApiKey } from '../../src/resolvers/apiKeys/updateApiKey.ts';
import { createSession } from '../../src/resolvers/auth/createSession.ts';
import { openUsageStream } from '../harness/usageStream.ts';
import { SocketClient } from './client.ts';
import { Customer, eventually, openTestDatabase, startLiveServer, type LiveServer } from './fixture.ts';

let db: Awaited<ReturnType<typeof openTestDatabase>>;
let server: LiveServer;
/** Another instance on the same database whose events are not heard. */
let deaf: LiveServer;

beforeAll(async () => {
  db = await openTestDatabase();
  server = await startLiveServer(db);
  deaf = await startLiveServer(db, { events: localEvents(() => {}), hearsAll: () => false });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await deaf[Symbol.asyncDispose]();
  await db.close();
});

const END_SESSION = sql('testEndSession', 'update session set revoked_at = now() where user_id = $1');
const SUSPEND = sql('testSuspendUser', 'update users set suspended_at = now() where id = $1');
const EXPIRE_SESSION = sql(
  'testExpireSession',
  `update session set expires_at = clock_timestamp() + interval '300 ms' where user_id = $1`,
);

function owner({ accountId }: Customer): ViewerContext {
  const viewer = {
    kind: 'SESSION',
    userId: accountId,
    role: 'USER',
    permissions: [],
    scopes: ['PROXY', 'READ', 'MANAGE'],
    keyId: null,
    sessionId: null,
  };
  return { ...server.services, clientAddress: '127.0.0.1', viewer } as ViewerContext;
}

/** Streams, does `act`, and waits for the end: how many milliseconds later, and how. */
async function endedBy(
  on: LiveServer,
  token: string,
  act: () => Promise<unknown>,
): Promise<{ code: number; codes: string[]; ms: number }> {
  await using client = await SocketClient.connect(on.url, token);
  client.subscribe('1');
  client.subscribe('2');
  await client.until(() => client.events('1').length > 0 && client.events('2').length > 0);
  await act();
  const started = Date.now();
  const { code } = await client.closed;
  return { code, codes: [...client.codes('1'), ...client.codes('2')], ms: Date.now() - started };
}

const DEAD = { code: 4403, codes: ['CREDENTIAL_REVOKED', 'CREDENTIAL_REVOKED'] };

test('while every revocation is heard only sessions are asked for again and again, else all', async () => {
  const { accountId, keys } = await Customer.create(db);
  const [key] = keys;
  const byKey: CredentialRef = { userId: accountId, keyId: key?.id ?? 0n, sessionId: null };
  const { token } = await createSession({ ...server.services, clientAddress: '127.0.0.1' }, accountId, 'LPF');
  const sessionId = String(decodeJwt(token)['sid']);
  const bySession: CredentialRef = { userId: accountId, keyId: null, sessionId };
  const asked: (bigint | null)[][] = [];
  const counting: Sql = {
    query: (statement, values = []) => {
      asked.push(values[1] as (bigint | null)[]);
      return db.query(statement, values);
    },
  };
  const events = localEvents(() => {});
  let hearing = true;
  const onError = (error: unknown): void => expect.unreachable(String(error));
  const watch = watchCredentials({ db: counting, events, hearsAll: () => hearing, onError });
  const dead: string[] = [];
  watch.watch(byKey, () => dead.push('key'));
  watch.watch(bySession, () => dead.push('session'));
  const next = async (): Promise<unknown> => {
    const seen = asked.length;
    await eventually(() => asked.length > seen);
    return asked[seen];
  };
  const both = [key?.id, null];
  // At first all: the credential may have died between its authentication and the watch.
  expect([await next(), await next()]).toEqual([both, [null]]);
  events.publish('eventsLost', { at: new Date() });
  expect([await next(), await next()]).toEqual([both, [null]]);
  hearing = false;
  expect([await next(), await next()]).toEqual([both, both]);
  expect(dead).toEqual([]);
  watch.close();
});

test('who joins knowing older rules than those that were told before is told too', async () => {
  const customer = await Customer.create(db);
  const events = localEvents(() => {});
  const onError = (error: unknown): void => expect.unreachable(String(error));
  const watch = watchCredentials({ db, events, hearsAll: () => true, onError });
  const { id: keyId } = customer.key();
  const credential: CredentialRef = { userId: customer.accountId, keyId, sessionId: null, rulesNo: 1 };
  const told: string[] = [];
  const join = (name: string): unknown =>
    watch.watch(
      credential,
      () => {},
      ({ no }) => told.push(`${name}: ${no}`),
    );
  join('early');
  await updateApiKey(owner(customer), keyId, { products: ['SHARED'] });
  await eventually(() => told.length > 0);
  join('late');
  await eventually(() => told.includes('late: 2'));
  expect(told).toEqual(['early: 2', 'early: 2', 'late: 2']);
  watch.close();
});

describe('a stream ends with its credential', () => {
  test('revoked: an error, then close 4403, within 1 s here and 2 s on an instance that hears nothing', async () => {
    const customer = await Customer.create(db, { keys: 2 });
    const revoke = (index: number) => () => revokeApiKey(owner(customer), customer.key(index).id);
    const here = await endedBy(server, customer.key(0).secret, revoke(0));
    expect(here).toMatchObject(DEAD);
    expect(here.ms).toBeLessThan(1_000);
    const there = await endedBy(deaf, customer.key(1).secret, revoke(1));
    expect(there).toMatchObject(DEAD);
    expect(there.ms).toBeLessThan(2_000);
  });

  test('regenerated: streams of the old secret end, also where nothing is heard', async () => {
    const customer = await Customer.create(db, { keys: 2 });
    const regenerate = (index: number) => () => regenerateApiKey(owner(customer), customer.key(index).id);
    expect(await endedBy(server, customer.key(0).secret, regenerate(0))).toMatchObject(DEAD);
    expect(await endedBy(deaf, customer.key(1).secret, regenerate(1))).toMatchObject(DEAD);
  });

  test.each([
    ['its scopes', { scopes: ['PROXY'] }, 'INSUFFICIENT_SCOPE'],
    ['its allow-list', { allowedIps: ['10.0.0.0/8'] }, 'ADDRESS_NOT_ALLOWED'],
  ] as const)('forbidden by %s: within 1 s here and 2 s where nothing is heard', async (_by, changes, code) => {
    const customer = await Customer.create(db, { keys: 2 });
    const change = (index: number) => () => updateApiKey(owner(customer), customer.key(index).id, changes);
    const here = await endedBy(server, customer.key(0).secret, change(0));
    expect(here).toMatchObject({ code: 4403, codes: [code, code] });
    expect(here.ms).toBeLessThan(1_000);
    const there = await endedBy(deaf, customer.key(1).secret, change(1));
    expect(there).toMatchObject({ code: 4403, codes: [code, code] });
    expect(there.ms).toBeLessThan(2_000);
  });

  test('expired, by the key’s time or the end of a rotation: also where nothing is heard', async () => {
    for (const on of [server, deaf]) {
      const customer = await Customer.create(db, { keys: 2 });
      const soon = () => ({ expiresAt: new Date(Date.now() + 300) });
      const expire = () => updateApiKey(owner(customer), customer.key(0).id, soon());
      const expired = await endedBy(on, customer.key(0).secret, expire);
      expect(expired).toMatchObject(DEAD);
      expect(expired.ms).toBeLessThan(2_300);
      const rotate = () => rotateApiKey(owner(customer), { id: customer.key(1).id, graceSeconds: 1 });
      const replaced = await endedBy(on, customer.key(1).secret, rotate);
      expect(replaced).toMatchObject(DEAD);
      expect(replaced.ms).toBeGreaterThan(900);
      expect(replaced.ms).toBeLessThan(3_000);
    }
  });

  test('suspended: told so, by key and by session, where nothing is heard', async () => {
    const customer = await Customer.create(db);
    const { accountId } = customer;
    const { token } = await createSession({ ...server.services, clientAddress: '127.0.0.1' }, accountId, 'LPF');
    await using session = await SocketClient.connect(deaf.url, token);
    const ended = await endedBy(deaf, customer.key().secret, () => db.query(SUSPEND, [accountId]));
    expect(ended).toMatchObject({ code: 4403, codes: ['ACCOUNT_SUSPENDED', 'ACCOUNT_SUSPENDED'] });
    expect(ended.ms).toBeLessThan(2_000);
    expect(await session.closed).toEqual({ code: 4403, reason: 'Account suspended' });
  });

  test('a session: revoked or expired', async () => {
    const { accountId } = await Customer.create(db);
    const sign = async (): Promise<string> =>
      (await createSession({ ...server.services, clientAddress: '127.0.0.1' }, accountId, 'LPF')).token;
    expect(await endedBy(server, await sign(), () => db.query(END_SESSION, [accountId]))).toMatchObject(DEAD);
    expect(await endedBy(server, await sign(), () => db.query(EXPIRE_SESSION, [accountId]))).toMatchObject(DEAD);
  });

  test('other credentials of the account go on', async () => {
    const customer = await Customer.create(db, { keys: 2 });
    await using stays = await SocketClient.connect(server.url, customer.key(1).secret);
    stays.subscribe('1');
    await stays.until(() => stays.events('1').length > 0);
    await revokeApiKey(owner(customer), customer.key(0).id);
    await customer.use(server.services.events, { key: 1, down: 3n });
    await stays.until(() => stays.events('1').some(({ bytesDown }) => bytesDown === '3'));
    expect(stays.codes('1')).toEqual([]);
  });

  test('over SSE: a last result with the error, and the end', async () => {
    const customer = await Customer.create(db);
    await using stream = await openUsageStream({ transport: 'sse', http: server.url, token: customer.key().secret });
    await revokeApiKey(owner(customer), customer.key().id);
    await eventually(() => stream.ended() !== undefined, 1_000);
    expect(stream.ended()).toMatchObject([{ extensions: { code: 'CREDENTIAL_REVOKED' } }]);
    await eventually(() => !server.services.live.watched(customer.accountId));
  });
});
