import { expect, test } from 'vitest';

import { localEvents } from '../../../src/events.ts';
import { createCredentialCache, type CachedOwner } from '../../../src/resolvers/auth/credentialCache.ts';

const owner: CachedOwner = { accountId: 1n, keyId: 2n, sessionId: null, expiresAtMs: Infinity };

test('a cache that may have missed a revocation believes nothing it knew', async () => {
  const events = localEvents((error) => expect.unreachable(String(error)));
  const cache = createCredentialCache<CachedOwner>(events, () => 30_000);
  let loads = 0;
  const load = async (): Promise<CachedOwner> => {
    loads += 1;
    return owner;
  };
  await cache.get('key', load);
  await cache.get('key', load);
  expect(loads).toBe(1);
  events.publish('eventsLost', { at: new Date() });
  await cache.get('key', load);
  expect(loads).toBe(2);
  cache.close();
});

const sessionA: CachedOwner = { accountId: 1n, keyId: null, sessionId: 'a', expiresAtMs: Infinity };
const sessionB: CachedOwner = { accountId: 1n, keyId: null, sessionId: 'b', expiresAtMs: Infinity };
const stranger: CachedOwner = { accountId: 9n, keyId: null, sessionId: 'c', expiresAtMs: Infinity };
const ofKey2 = { accountId: 1n, keyId: 2n, sessionId: null, revoked: true, lookups: [] };

test.each([
  ['a key', ofKey2, ['key']],
  ['a session', { ...ofKey2, keyId: null, sessionId: 'a' }, ['a']],
  ['every session', { ...ofKey2, keyId: null, sessionsBut: null }, ['a', 'b']],
  ['the other sessions', { ...ofKey2, keyId: null, sessionsBut: 'a' }, ['b']],
  ['the account', { ...ofKey2, keyId: null }, ['a', 'b', 'key']],
])('a change of %s is forgotten, the rest stays', async (_what, event, forgotten) => {
  const events = localEvents((error) => expect.unreachable(String(error)));
  const cache = createCredentialCache<CachedOwner>(events, () => 30_000);
  const entries = Object.entries({ a: sessionA, b: sessionB, key: owner, stranger });
  for (const [name, entry] of entries) await cache.get(name, async () => entry);
  events.publish('credentialsChanged', event);
  const gone: string[] = [];
  for (const [name, entry] of entries) {
    await cache.get(name, async () => {
      gone.push(name);
      return entry;
    });
  }
  expect(gone).toEqual(forgotten);
  cache.close();
});
