import { LRUCache } from 'lru-cache';

import { names, type Events } from '../../events.ts';

const MAX_ENTRIES = 10_000;

/** What a cached credential belongs to. */
export interface CachedOwner {
  readonly accountId: bigint;
  readonly keyId: bigint | null;
  readonly sessionId: string | null;
  /** When the credential expires, in milliseconds since 1970; Infinity: never. */
  readonly expiresAtMs: number;
}

/** Credentials that were found lately, with what they may do; never balances, limits or usage. */
export interface CredentialCache<Entry extends CachedOwner> {
  /** Answers from memory, else by `load`; parallel loads of one credential are one. undefined is not kept. */
  get(name: string, load: () => Promise<Entry | undefined>): Promise<Entry | undefined> | Entry;
  close(): void;
}

/**
 * A bounded map from credential to owner. Entries go when `credentialsChanged` names them, at once
 * here and on every instance that hears of it, when the credential expires, and in any case after `ttlMs` (asked for
 * each).
 */
export function createCredentialCache<Entry extends CachedOwner>(
  events: Events,
  ttlMs: () => number,
): CredentialCache<Entry> {
  const entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES });
  const loading = new Map<string, Promise<Entry | undefined>>();
  // What was read before a change may be older than the change: it is answered, but not kept.
  let generation = 0;
  const unsubscribe = events.subscribe('credentialsChanged', (event) => {
    generation += 1;
    loading.clear();
    for (const [name, entry] of entries.entries())
      if (entry.accountId === event.accountId && names(event, entry)) entries.delete(name);
  });
  // Revocations may be among what was lost.
  const forgetAll = events.subscribe('eventsLost', () => {
    generation += 1;
    loading.clear();
    entries.clear();
  });
  const loadOnce = async (name: string, load: () => Promise<Entry | undefined>): Promise<Entry | undefined> => {
    const started = generation;
    const entry = await load();
    if (entry === undefined || started !== generation) return entry;
    const ttl = Math.min(ttlMs(), entry.expiresAtMs - Date.now());
    // A time to live of 0 would be for ever.
    if (ttl >= 1) entries.set(name, entry, { ttl });
    return entry;
  };
  return {
    get(name, load) {
      const known = entries.get(name) ?? loading.get(name);
      if (known !== undefined) return known;
      const promise = loadOnce(name, load).finally(() => {
        if (loading.get(name) === promise) loading.delete(name);
      });
      loading.set(name, promise);
      return promise;
    },
    close() {
      unsubscribe();
      forgetAll();
      entries.clear();
    },
  };
}
