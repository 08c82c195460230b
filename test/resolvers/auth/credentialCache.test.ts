import { expect, test } from 'vitest';

import { localEvents } from '../../../src/events.ts';
import { createCredentialCache, type CachedOwner } from '../../../src/resolvers/auth/credentialCache.ts';

const owner: CachedOwner = { accountId: 1n, keyId: 2n, sessionId: null };

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
