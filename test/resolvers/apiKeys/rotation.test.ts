import { afterAll, beforeAll, expect, test } from 'vitest';

import { lookupHash } from '../../../src/crypto.ts';
import { sql } from '../../../src/database/sql.ts';
import { regenerateApiKey } from '../../../src/resolvers/apiKeys/regenerateApiKey.ts';
import { revealApiKey } from '../../../src/resolvers/apiKeys/revealApiKey.ts';
import { revokeApiKey } from '../../../src/resolvers/apiKeys/revokeApiKey.ts';
import { rotateApiKey } from '../../../src/resolvers/apiKeys/rotateApiKey.ts';
import { secretsByKey } from '../../../src/resolvers/apiKeys/secretsByKey.ts';
import { updateApiKey } from '../../../src/resolvers/apiKeys/updateApiKey.ts';
import { encodeNodeId } from '../../../src/schema/ids.ts';
import { MAX_SECRET_CHANGES } from '../../../src/throttle.ts';
import { NANO } from '../../../src/units.ts';
import { openAuthenticator, type TestAuthenticator } from '../../harness/authenticator.ts';
import { makeAccount, openTestServices, recordsOf, run, type TestServices } from '../../harness/context.ts';

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

const HOUR = 3_600;
let addresses = 0;

/** Which of these secrets open the key, or why they do not: asked from an address that has not failed yet. */
function opens(...secrets: readonly string[]): Promise<string[]> {
  addresses += 1;
  return Promise.all(
    secrets.map(async (secret) => {
      const answer = await auth.proxyKey(secret, `127.2.0.${addresses}`, 'SHARED');
      return 'key' in answer ? `key ${answer.key.keyId}` : `${answer.refusal}: ${answer.message}`;
    }),
  );
}

const REPLACED = 'KEY_REVOKED: This secret of the API key was replaced; use the new one.';
const REVOKED = 'KEY_REVOKED: The API key is revoked; use another one.';

const LATER = sql(
  'testSecretsLater',
  `update api_key_secret set expires_at = expires_at - make_interval(secs => $2),
     created_at = created_at - make_interval(secs => $2) where key_id = $1`,
);

/** Lets time pass for the secrets of a key, by the clock of the database, for authenticators that ask again. */
async function later(accountId: bigint, keyId: bigint, seconds: number): Promise<void> {
  await services.db.query(LATER, [keyId, seconds]);
  const event = { accountId, keyId, sessionId: null, revoked: false, lookups: [] };
  services.events.publish('credentialsChanged', event);
}

test('old and new secret open one key until the grace is over, then the new one alone', async () => {
  const { ctx, user, apiKey, secret } = await makeAccount(services);
  await updateApiKey(ctx, apiKey.id, { dailyLimit: NANO, products: ['SHARED'], expiresAt: new Date('2099-01-01') });
  services.closed.length = 0;
  const rotated = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR });
  expect(services.closed).toEqual([]);
  expect(rotated.apiKey).toMatchObject({ id: apiKey.id, prefix: rotated.secret.slice(0, 8), products: ['SHARED'] });
  expect(rotated.apiKey.meter.dayLimit).toBe(NANO);
  expect(rotated.apiKey.expiresAt).toEqual(new Date('2099-01-01'));
  const one = `key ${apiKey.id}`;
  expect(await opens(secret, rotated.secret)).toEqual([one, one]);
  expect(await revealApiKey(ctx, apiKey.id)).toEqual({ secret: rotated.secret });
  await later(user.id, apiKey.id, HOUR - 60);
  expect(await opens(secret, rotated.secret)).toEqual([one, one]);
  await later(user.id, apiKey.id, 61);
  expect(await opens(secret, rotated.secret)).toEqual([REPLACED, one]);
});

test('the default is a day; the secrets that work are shown, without them', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const document = `mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) {
    ... on RotateApiKeySuccess { secret apiKey { preview secrets { preview expiresAt createdAt } } }
    ... on Error { code message } } }`;
  const rotate = async (graceSeconds?: number): Promise<unknown> =>
    (await run(ctx, document, { input: { id: encodeNodeId('ApiKey', apiKey.id), graceSeconds } })).data?.[
      'rotateApiKey'
    ];
  const started = Date.now();
  const shown = (await rotate()) as { secret: string; apiKey: { secrets: { expiresAt: string }[] } };
  const preview = (of: string): string => `${of.slice(0, 8)}...`;
  expect(shown.apiKey).toEqual({
    preview: preview(shown.secret),
    secrets: [
      { preview: preview(shown.secret), expiresAt: null, createdAt: expect.any(String) },
      { preview: preview(secret), expiresAt: expect.any(String), createdAt: expect.any(String) },
    ],
  });
  const end = new Date(shown.apiKey.secrets[1]?.expiresAt ?? 0).getTime() - started;
  expect(end).toBeGreaterThanOrEqual(86_400_000 - 1);
  expect(end).toBeLessThan(86_430_000);
  for (const graceSeconds of [-1, 604_801]) expect(await rotate(graceSeconds)).toMatchObject({ code: 'BAD_INPUT' });
  expect(await rotate(604_800)).toHaveProperty('secret');
});

test('five secrets work at once: a sixth ends the oldest', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const secrets = [secret];
  for (let n = 0; n < 5; n += 1) {
    await later(ctx.viewer.userId, apiKey.id, 1);
    secrets.push((await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR })).secret);
  }
  expect(await opens(...secrets)).toEqual([REPLACED, ...Array.from({ length: 5 }, () => `key ${apiKey.id}`)]);
  expect(await secretsByKey(services.db, [apiKey.id])).toMatchObject([
    secrets
      .slice(1)
      .map((live) => ({ prefix: live.slice(0, 8) }))
      .toReversed(),
  ]);
  expect(services.published.at(-1)).toMatchObject({
    event: { revoked: true, lookups: [lookupHash(services.keys, secret).toString('hex')] },
  });
});

test('a later rotation never lengthens the life of a secret, and one without grace ends all but the new one', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const second = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 60 });
  const third = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR });
  const one = `key ${apiKey.id}`;
  await later(ctx.viewer.userId, apiKey.id, 61);
  expect(await opens(secret, second.secret, third.secret)).toEqual([REPLACED, one, one]);
  services.closed.length = 0;
  const last = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 0 });
  expect(services.closed).toEqual([apiKey.id]);
  expect(await opens(second.secret, third.secret, last.secret)).toEqual([REPLACED, REPLACED, one]);
});

test('regenerating ends the secrets of a rotation too, revoking ends all', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const second = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR });
  const third = await regenerateApiKey(ctx, apiKey.id);
  expect(await opens(secret, second.secret, third.secret)).toEqual([REPLACED, REPLACED, `key ${apiKey.id}`]);
  const fourth = await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR });
  await revokeApiKey(ctx, apiKey.id);
  expect(await opens(secret, third.secret, fourth.secret)).toEqual([REVOKED, REVOKED, REVOKED]);
  expect(await secretsByKey(services.db, [apiKey.id])).toEqual([[]]);
  await expect(rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 0 })).rejects.toMatchObject({ code: 'KEY_IS_REVOKED' });
});

test('20 rotations at once leave five secrets that work', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const rotations = await Promise.all(
    Array.from({ length: 20 }, () => rotateApiKey(ctx, { id: apiKey.id, graceSeconds: HOUR })),
  );
  const answers = await Promise.all(
    [secret, ...rotations.map((rotation) => rotation.secret)].map(async (one) => (await opens(one))[0]),
  );
  expect(answers.filter((answer) => answer === `key ${apiKey.id}`)).toHaveLength(5);
});

test('rotations and regenerations are counted together, per account; what is refused anyway is not', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  const other = await makeAccount(services);
  await expect(rotateApiKey(ctx, { id: other.apiKey.id, graceSeconds: 0 })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  for (let n = 0; n < MAX_SECRET_CHANGES; n += 1)
    await (n % 2 === 0 ? regenerateApiKey(ctx, apiKey.id) : rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 60 }));
  const changed = (await recordsOf(services, ctx.viewer.userId)).length;
  const throttled = { code: 'THROTTLED', retryAfterSeconds: expect.any(Number) as number };
  await expect(regenerateApiKey(ctx, apiKey.id)).rejects.toMatchObject(throttled);
  await expect(rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 60 })).rejects.toMatchObject(throttled);
  expect(await recordsOf(services, ctx.viewer.userId)).toHaveLength(changed);
  await regenerateApiKey(other.ctx, other.apiKey.id);
});
