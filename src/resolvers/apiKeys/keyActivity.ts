import { LRUCache } from 'lru-cache';

import type { Services } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { CATALOGUE, type RefusalCode } from '../../errors.ts';
import { singleStatement } from '../transaction.ts';

const FLUSH_MS = 250;
/** Keys with news between two flushes; what is above waits for its next use or refusal. */
const MAX_PENDING = 10_000;
/** A key in constant use is written this often: `lastUsedAt` may lag by it. */
const USE_RESOLUTION_MS = 60_000;

// The rows are locked in order, so that the batches of two instances cannot deadlock.
const RECORD = sql(
  'apiKeyActivity',
  `with news as (
     select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[])
       as n (id, used_at, code, message, refused_at)
   ), held as (
     select k.id from api_key_profile k where k.id = any($1::bigint[]) order by k.id for no key update
   )
   update api_key_profile k set
     last_used_at = greatest(k.last_used_at, news.used_at),
     refusal_code = coalesce(news.code, k.refusal_code),
     refusal_message = coalesce(news.message, k.refusal_message),
     refused_at = coalesce(news.refused_at, k.refused_at)
   from news join held on held.id = news.id
   where k.id = news.id`,
);

interface News {
  usedAt: Date | null;
  refusal: RefusalCode | null;
  message: string | null;
  refusedAt: Date | null;
}

/** Notes when keys were used and why they were refused (`lastUsedAt`, `lastRefusal`); written in batches. */
export interface KeyActivity {
  used(keyId: bigint): void;
  /** @param message more precise than the catalogue's */
  refused(keyId: bigint, code: RefusalCode, message?: string): void;
  /** Writes what is noted. */
  flush(): Promise<void>;
  /** Writes what is noted and stops. */
  close(): Promise<void>;
}

export function createKeyActivity(services: Pick<Services, 'db' | 'events' | 'log' | 'now'>): KeyActivity {
  const pending = new Map<bigint, News>();
  const recent = new LRUCache<bigint, true>({ max: MAX_PENDING, ttl: USE_RESOLUTION_MS });
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (): Promise<void> => {
    const batch = [...pending];
    pending.clear();
    if (batch.length === 0) return;
    const news = batch.map(([, item]) => item);
    const values = [
      batch.map(([id]) => id),
      news.map(({ usedAt }) => usedAt),
      news.map(({ refusal }) => refusal),
      news.map(({ message }) => message),
      news.map(({ refusedAt }) => refusedAt),
    ];
    try {
      await singleStatement(services, (db) => db.query(RECORD, values));
    } catch (error) {
      services.log.warn({ err: error, keys: batch.length }, 'the activity of API keys could not be written');
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return (writing = writing.then(write));
  };
  const note = (keyId: bigint): News | undefined => {
    const known = pending.get(keyId);
    if (known !== undefined) return known;
    if (pending.size >= MAX_PENDING) return undefined;
    const news: News = { usedAt: null, refusal: null, message: null, refusedAt: null };
    pending.set(keyId, news);
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
    return news;
  };

  return {
    used(keyId) {
      if (recent.has(keyId)) return;
      recent.set(keyId, true);
      const news = note(keyId);
      if (news !== undefined) news.usedAt = services.now();
    },
    refused(keyId, code, message = CATALOGUE[code].message) {
      const news = note(keyId);
      if (news === undefined) return;
      news.refusal = code;
      news.message = message;
      news.refusedAt = services.now();
    },
    flush,
    close: flush,
  };
}
