import { afterAll, beforeAll, expect, test } from 'vitest';

import { lookupHash, newApiKeySecret } from '../../../src/crypto.ts';
import { createKeyActivity } from '../../../src/resolvers/apiKeys/keyActivity.ts';
import { findApiKey } from '../../../src/resolvers/apiKeys/findApiKey.ts';
import { regenerateApiKey } from '../../../src/resolvers/apiKeys/regenerateApiKey.ts';
import { revokeApiKey } from '../../../src/resolvers/apiKeys/revokeApiKey.ts';
import { createAuthenticator } from '../../../src/resolvers/auth/authenticate.ts';
import { makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';

let services: TestServices;
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

function open() {
  const activity = createKeyActivity(services);
  const auth = createAuthenticator(services, { cacheMs: () => 30_000, activity });
  return { activity, auth };
}

/** What the proxy is told of a key that is revoked. */
const revoked = ({ id: keyId }: { readonly id: bigint }) => ({
  refusal: 'KEY_REVOKED',
  message: 'The API key is revoked; use another one.',
  keyId,
});

let addresses = 0;
/** An address that has not failed yet. */
const address = (): string => `127.1.0.${(addresses += 1)}`;

test('a key opens API and proxy for its account, and its use is noted', async () => {
  const { ctx, user, apiKey, secret } = await makeAccount(services);
  const { auth, activity } = open();
  expect(await auth.bearer(secret, address())).toMatchObject({
    kind: 'KEY',
    userId: user.id,
    keyId: apiKey.id,
    sessionId: null,
    role: 'USER',
  });
  expect(await auth.proxyKey(secret, address(), 'SHARED')).toEqual({
    key: {
      keyId: apiKey.id,
      accountId: user.id,
      lookup: lookupHash(services.keys, secret).toString('hex'),
      rulesNo: 1,
    },
  });
  await activity.close();
  expect((await findApiKey(ctx, apiKey.id)).lastUsedAt).toBeInstanceOf(Date);
  auth.close();
});

test('revoking and regenerating empty the cache at once, and the refusal names the key', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const { auth, activity } = open();
  const from = address();
  await auth.bearer(secret, from);
  const regenerated = await regenerateApiKey(ctx, apiKey.id);
  expect(await auth.proxyKey(secret, from, 'SHARED')).toEqual({
    refusal: 'KEY_REVOKED',
    message: 'This secret of the API key was replaced; use the new one.',
    keyId: apiKey.id,
  });
  await expect(auth.bearer(secret, from)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await auth.proxyKey(regenerated.secret, from, 'SHARED')).toHaveProperty('key');
  await revokeApiKey(ctx, apiKey.id);
  expect(await auth.proxyKey(regenerated.secret, from, 'SHARED')).toEqual(revoked(apiKey));
  activity.refused(apiKey.id, 'KEY_REVOKED');
  await activity.flush();
  expect(await findApiKey(ctx, apiKey.id)).toMatchObject({
    refusalCode: 'KEY_REVOKED',
    refusalMessage: 'The API key is revoked, or this secret of it was replaced.',
    refusedAt: expect.any(Date),
  });
  await activity.close();
  auth.close();
});

test('a revocation while the key is being looked up is not overlooked', async () => {
  const { ctx, apiKey, secret } = await makeAccount(services);
  const { auth, activity } = open();
  const from = address();
  await Promise.all([auth.proxyKey(secret, from, 'SHARED'), revokeApiKey(ctx, apiKey.id)]);
  expect(await auth.proxyKey(secret, from, 'SHARED')).toEqual(revoked(apiKey));
  await activity.close();
  auth.close();
});

test('the 11th failure with one prefix is throttled, for that address and prefix alone', async () => {
  const { secret } = await makeAccount(services);
  const { auth, activity } = open();
  const from = address();
  const guess = (): string => secret.slice(0, 8) + newApiKeySecret().slice(8);
  for (let failures = 0; failures < 10; failures += 1) {
    expect(await auth.proxyKey(guess(), from, 'SHARED')).toEqual({ refusal: 'KEY_UNKNOWN' });
  }
  expect(await auth.proxyKey(guess(), from, 'SHARED')).toEqual({ refusal: 'THROTTLED', retryAfterSeconds: 900 });
  await expect(auth.bearer(secret, from)).rejects.toMatchObject({ code: 'THROTTLED', retryAfterSeconds: 900 });
  expect(await auth.proxyKey(secret, address(), 'SHARED')).toHaveProperty('key');
  expect(await auth.proxyKey(newApiKeySecret(), from, 'SHARED')).toEqual({ refusal: 'KEY_UNKNOWN' });
  await activity.close();
  auth.close();
});

test('names that are no keys at all count together for their address, and keep no key out', async () => {
  const { secret } = await makeAccount(services);
  const { auth, activity } = open();
  const from = address();
  for (let failures = 0; failures < 10; failures += 1) {
    expect(await auth.proxyKey(`name-${failures}`, from, 'SHARED')).toEqual({ refusal: 'KEY_UNKNOWN' });
  }
  expect(await auth.proxyKey('another', from, 'SHARED')).toEqual({ refusal: 'THROTTLED', retryAfterSeconds: 900 });
  expect(await auth.proxyKey(secret, from, 'SHARED')).toHaveProperty('key');
  await activity.close();
  auth.close();
});

test.each(['', 'x', 'lpf_', `lpf_${'G'.repeat(32)}`, `lpf_${'a'.repeat(33)}`, 'é'.repeat(255)])(
  'the username %j is no key',
  async (username) => {
    const { auth, activity } = open();
    expect(await auth.proxyKey(username, address(), 'SHARED')).toEqual({ refusal: 'KEY_UNKNOWN' });
    await expect(auth.bearer(username, address())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await activity.close();
    auth.close();
  },
);
