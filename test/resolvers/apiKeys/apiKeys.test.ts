import { Writable } from 'node:stream';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLogger } from '../../../src/log.ts';
import { check } from '../../../src/resolvers/ledger/check.ts';
import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { findApiKey } from '../../../src/resolvers/apiKeys/findApiKey.ts';
import { connectApiKeys, listApiKeys } from '../../../src/resolvers/apiKeys/listApiKeys.ts';
import { regenerateApiKey } from '../../../src/resolvers/apiKeys/regenerateApiKey.ts';
import { revealApiKey } from '../../../src/resolvers/apiKeys/revealApiKey.ts';
import { revokeApiKey } from '../../../src/resolvers/apiKeys/revokeApiKey.ts';
import { rotateApiKey } from '../../../src/resolvers/apiKeys/rotateApiKey.ts';
import { updateApiKey } from '../../../src/resolvers/apiKeys/updateApiKey.ts';
import { windowState } from '../../../src/resolvers/accounts/windows.ts';
import type { KeyRow } from '../../../src/resolvers/apiKeys/rows.ts';
import { MAX_REVEALS } from '../../../src/throttle.ts';
import { NANO, WINDOWS } from '../../../src/units.ts';
import { makeAccount, openTestServices, recordsOf, viewerOf, type TestServices } from '../../harness/context.ts';

let services: TestServices;
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

/** A key as callers see it: a window that has not been settled yet is the same as an empty one. */
function shown({ meter, ...key }: KeyRow): unknown {
  return { ...key, windows: WINDOWS.map((window) => windowState(meter, window, new Date())) };
}

test('50 parallel creations leave exactly 10 active keys, and revoking one frees a slot', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  const tries = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => createApiKey(ctx, { name: `key ${n}` })));
  const refused = tries.filter((attempt) => attempt.status === 'rejected').map(({ reason }) => reason.code);
  expect(refused).toEqual(Array.from({ length: 41 }, () => 'KEY_LIMIT_REACHED'));
  expect(await listApiKeys(ctx, ctx.viewer.userId)).toHaveLength(10);
  await revokeApiKey(ctx, apiKey.id);
  await createApiKey(ctx, { name: 'instead' });
  const keys = await listApiKeys(ctx, ctx.viewer.userId);
  expect(keys.map(({ revokedAt }) => revokedAt === null)).toEqual([...Array.from({ length: 10 }, () => true), false]);
});

test('a secret is shown, can be revealed, and is nowhere in the database in clear', async () => {
  const { ctx } = await makeAccount(services);
  const { apiKey, secret } = await createApiKey(ctx, { name: 'Prod', dailyLimit: 5n * NANO, weeklyLimit: null });
  expect(secret).toMatch(/^lpf_[0-9a-f]{32}$/);
  expect(apiKey.prefix).toBe(secret.slice(0, 8));
  expect(apiKey.meter).toMatchObject({ dayLimit: 5n * NANO, weekLimit: null, monthLimit: null });
  expect(await revealApiKey(ctx, apiKey.id)).toEqual({ secret });
  const text = 'select lookup, ciphertext from api_key_secret where key_id = $1';
  const rows = await services.db.query<{ lookup: Uint8Array; ciphertext: Uint8Array }>({ name: 'testSecret', text }, [
    apiKey.id,
  ]);
  expect(rows).toHaveLength(1);
  for (const { lookup, ciphertext } of rows) {
    expect(Buffer.from(lookup).includes(secret.slice(4))).toBe(false);
    expect(Buffer.from(ciphertext).includes(secret.slice(4))).toBe(false);
  }
});

test('reveals stand on record without the secret, never in the log, and are throttled per account', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const other = await makeAccount(services);
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const logged = { ...ctx, log: createLogger('info', sink) };
  await expect(revealApiKey(ctx, other.apiKey.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  for (let n = 0; n < MAX_REVEALS; n += 1) expect(await revealApiKey(logged, apiKey.id)).toEqual({ secret });
  await expect(revealApiKey(logged, apiKey.id)).rejects.toMatchObject({
    code: 'THROTTLED',
    retryAfterSeconds: expect.any(Number),
  });
  expect(await revealApiKey(other.ctx, other.apiKey.id)).toEqual({ secret: other.secret });
  const records = (await recordsOf(services, ctx.viewer.userId)).filter(({ action }) => action === 'API_KEY_REVEALED');
  const record = { action: 'API_KEY_REVEALED', address: '127.0.0.1', detail: { apiKeyId: apiKey.id.toString() } };
  expect(records).toEqual(Array.from({ length: MAX_REVEALS }, () => expect.objectContaining(record)));
  expect(
    JSON.stringify(records, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  ).not.toContain(secret.slice(4));
  expect(lines).toEqual([]);
});

test('what is done to a key stands on record', async () => {
  const { ctx, apiKey, user } = await makeAccount(services);
  const asKey = { ...ctx, viewer: viewerOf(user, apiKey), clientAddress: '10.1.2.3' };
  await updateApiKey(asKey, apiKey.id, { dailyLimit: NANO, weeklyLimit: null });
  await updateApiKey(asKey, apiKey.id, { dailyLimit: 5n * NANO }, true);
  await updateApiKey(asKey, apiKey.id, { name: 'renamed', scopes: ['READ'], allowedIps: ['10.0.0.0/8'] });
  await updateApiKey(asKey, apiKey.id, { name: null });
  await regenerateApiKey(asKey, apiKey.id);
  await rotateApiKey(asKey, { id: apiKey.id, graceSeconds: 60 });
  await revokeApiKey(asKey, apiKey.id);
  await expect(updateApiKey(asKey, apiKey.id, { dailyLimit: NANO })).rejects.toMatchObject({ code: 'KEY_IS_REVOKED' });
  const apiKeyId = apiKey.id.toString();
  const by = { actor_id: null, key_id: apiKey.id, session_id: null, address: '10.1.2.3' };
  expect((await recordsOf(services, user.id)).filter(({ action }) => action.startsWith('API_KEY'))).toEqual([
    { ...by, action: 'API_KEY_CREATED', key_id: null, address: '127.0.0.1', detail: { apiKeyId, name: 'test' } },
    { ...by, action: 'API_KEY_UPDATED', detail: { apiKeyId, dailyLimit: '1', weeklyLimit: null } },
    { ...by, action: 'API_KEY_UPDATED', detail: { apiKeyId, dailyLimit: '5' } },
    {
      ...by,
      action: 'API_KEY_UPDATED',
      detail: { apiKeyId, name: 'renamed', scopes: ['READ'], allowedIps: ['10.0.0.0/8'] },
    },
    { ...by, action: 'API_KEY_REGENERATED', detail: { apiKeyId } },
    { ...by, action: 'API_KEY_ROTATED', detail: { apiKeyId, graceSeconds: '60' } },
    { ...by, action: 'API_KEY_REVOKED', detail: { apiKeyId, name: 'renamed' } },
  ]);
});

test('an update leaves absent fields alone, clears on null, blocks on 0, and tells meters and streams', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  services.published.length = 0;
  const set = await updateApiKey(ctx, apiKey.id, { dailyLimit: NANO, weeklyLimit: 2n * NANO, monthlyLimit: 0n });
  expect(set.apiKey).toMatchObject({ name: 'test', meter: { dayLimit: NANO, weekLimit: 2n * NANO, monthLimit: 0n } });
  expect(shown(await findApiKey(ctx, apiKey.id))).toEqual(shown(set.apiKey));
  expect(services.published).toEqual([
    { name: 'accountEvents', event: [expect.objectContaining({ kind: 'limit', keyId: apiKey.id, keyRemaining: 0n })] },
    { name: 'leasesChanged', event: { accountId: ctx.viewer.userId, keyIds: [apiKey.id] } },
  ]);
  const cleared = await updateApiKey(ctx, apiKey.id, { name: 'renamed', weeklyLimit: null });
  expect(cleared.apiKey).toMatchObject({ name: 'renamed', meter: { dayLimit: NANO, weekLimit: null, monthLimit: 0n } });
  expect(await findApiKey(ctx, apiKey.id)).toEqual(cleared.apiKey);
  expect(await updateApiKey(ctx, apiKey.id, { name: null })).toEqual(cleared);
});

test('a regenerated key keeps id and limits, and its connections are closed', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  await updateApiKey(ctx, apiKey.id, { dailyLimit: NANO });
  services.closed.length = 0;
  const changed = await regenerateApiKey(ctx, apiKey.id);
  expect(changed.secret).not.toBe(secret);
  expect(changed.apiKey).toMatchObject({
    id: apiKey.id,
    prefix: changed.secret.slice(0, 8),
    meter: { dayLimit: NANO },
  });
  expect(services.closed).toEqual([apiKey.id]);
  expect(await revealApiKey(ctx, apiKey.id)).toEqual({ secret: changed.secret });
});

test('a revoked key can be read; everything else is refused and changes nothing', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  const revoked = await revokeApiKey(ctx, apiKey.id);
  expect(revoked.connectionsClosed).toBeGreaterThan(0);
  expect(revoked.apiKey.revokedAt).toBeInstanceOf(Date);
  expect(await findApiKey(ctx, apiKey.id)).toEqual(revoked.apiKey);
  await expect(revokeApiKey(ctx, apiKey.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  for (const attempt of [
    () => updateApiKey(ctx, apiKey.id, { name: 'x' }),
    () => updateApiKey(ctx, apiKey.id, { dailyLimit: 1n }),
    () => revealApiKey(ctx, apiKey.id),
    () => regenerateApiKey(ctx, apiKey.id),
  ]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'KEY_IS_REVOKED' });
  }
  expect(await findApiKey(ctx, apiKey.id)).toEqual(revoked.apiKey);
});

test('keys of others are as absent as unknown ones, and stay as they are', async () => {
  const mine = await makeAccount(services);
  const other = await makeAccount(services);
  const attempts = (id: bigint) => [
    () => findApiKey(other.ctx, id),
    () => updateApiKey(other.ctx, id, { name: 'x' }),
    () => updateApiKey(other.ctx, id, { dailyLimit: 1n }),
    () => revealApiKey(other.ctx, id),
    () => regenerateApiKey(other.ctx, id),
    () => revokeApiKey(other.ctx, id),
  ];
  const failures = (id: bigint): Promise<string[]> =>
    Promise.all(
      attempts(id).map((attempt) =>
        attempt().then(
          () => 'done',
          (error: unknown) => String(error),
        ),
      ),
    );
  const foreign = await failures(mine.apiKey.id);
  expect(foreign).toEqual(Array.from({ length: 6 }, () => 'AppError: There is no such object.'));
  expect(foreign).toEqual(await failures(999_999n));
  expect(await findApiKey(mine.ctx, mine.apiKey.id)).toEqual(mine.apiKey);
});

test('pages of keys in both directions, active ones first', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  for (const name of ['a', 'b', 'c']) await createApiKey(ctx, { name });
  await revokeApiKey(ctx, apiKey.id);
  const { userId } = ctx.viewer;
  const names = (page: { edges: { node: { name: string } }[] }): string[] => page.edges.map(({ node }) => node.name);
  const first = await connectApiKeys(ctx, userId, { first: 3 });
  expect(names(first)).toEqual(['a', 'b', 'c']);
  expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
  const next = await connectApiKeys(ctx, userId, { first: 3, after: first.pageInfo.endCursor });
  expect(names(next)).toEqual(['test']);
  expect(next.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  const last = await connectApiKeys(ctx, userId, { last: 2, before: next.pageInfo.startCursor });
  expect(names(last)).toEqual(['b', 'c']);
  expect(last.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  expect(await last.totalCount()).toBe(4);
  await expect(connectApiKeys(ctx, userId, { first: -1 })).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'first' });
  await expect(connectApiKeys(ctx, userId, { after: 'x' })).rejects.toMatchObject({
    code: 'BAD_INPUT',
    field: 'after',
  });
  await expect(connectApiKeys(ctx, userId, { first: 1, last: 1 })).rejects.toMatchObject({ code: 'BAD_INPUT' });
  const beyond = Buffer.from(`0:${'9'.repeat(19)}`).toString('base64url');
  await expect(connectApiKeys(ctx, userId, { after: beyond })).rejects.toMatchObject({ code: 'BAD_INPUT' });
});

test('the ledger is sound after all of it', async () => {
  expect(await check(services.db)).toEqual({ drift: 0n, violations: [], excesses: [] });
});
