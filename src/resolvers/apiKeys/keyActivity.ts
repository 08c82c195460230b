import { LRUCache } from 'lru-cache';

import type { Services } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { CATALOGUE, type RefusalCode } from '../../errors.ts';
import { productNumber, type Product } from '../../units.ts';
import { refusalsOf, type RefusalsRow } from '../refusals/counted.ts';
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
     select k.id, k.user_id from api_key_profile k where k.id = any($1::bigint[]) order by k.id for no key update
   ), added as (
     select * from unnest($6::bigint[], $7::text[], $8::date[], $9::bigint[], $10::timestamptz[], $11::timestamptz[],
         $12::text[], $13::smallint[], $14::text[])
       as c (key_id, code, day, count, first_at, last_at, message, product, address)
   ), counted as (
     insert into refusal_day as r (key_id, code, day, count, first_at, last_at, message, product, address)
     select c.* from added c join held on held.id = c.key_id
     on conflict (key_id, day, code) do update set count = r.count + excluded.count,
       first_at = least(r.first_at, excluded.first_at), last_at = greatest(r.last_at, excluded.last_at),
       message = excluded.message, product = excluded.product, address = excluded.address
     returning key_id, code, day, count, first_at
   ), noted as (
     update api_key_profile k set
       last_used_at = greatest(k.last_used_at, news.used_at),
       refusal_code = coalesce(news.code, k.refusal_code),
       refusal_message = coalesce(news.message, k.refusal_message),
       refused_at = coalesce(news.refused_at, k.refused_at)
     from news join held on held.id = news.id
     where k.id = news.id
   )
   select held.user_id as account_id, r.key_id, r.code, r.day, r.count as total, c.count as added,
     r.first_at, c.last_at, c.message, c.product, c.address
   from counted r
   join added c on c.key_id = r.key_id and c.code = r.code and c.day = r.day
   join held on held.id = r.key_id`,
);

/** Who was refused, where it is known. */
interface RefusedClient {
  readonly product: Product;
  /** IP literal. */
  readonly clientAddress: string;
}

interface News {
  usedAt: Date | null;
  refusal: RefusalCode | null;
  message: string | null;
  refusedAt: Date | null;
  /** Refusals by reason and UTC day; few: there are not many reasons, and the day changes once. */
  readonly refusals: Map<string, Tally>;
}

/** Refusals of one key, reason and UTC day since the last flush. */
interface Tally {
  readonly code: RefusalCode;
  /** ISO 8601. */
  readonly day: string;
  count: bigint;
  readonly firstAt: Date;
  lastAt: Date;
  /** Of the last one, as the client. */
  message: string;
  client: RefusedClient | undefined;
}

type Refusal = Pick<Tally, 'code' | 'message' | 'client'>;

function tally({ refusals }: News, refusal: Refusal, at: Date): void {
  const { code } = refusal;
  const day = at.toISOString().slice(0, 10);
  const name = `${code} ${day}`;
  const known = refusals.get(name);
  if (known === undefined) {
    refusals.set(name, { ...refusal, day, count: 1n, firstAt: at, lastAt: at });
  } else {
    known.count += 1n;
    known.lastAt = at;
    known.message = refusal.message;
    known.client = refusal.client;
  }
}

/** Columns of the refusals of a batch, as the statement takes them. */
function tallies(batch: readonly (readonly [bigint, News])[]): unknown[][] {
  const rows = batch.flatMap(([keyId, { refusals }]) => [...refusals.values()].map((row) => ({ keyId, ...row })));
  return [
    rows.map(({ keyId }) => keyId),
    rows.map(({ code }) => code),
    rows.map(({ day }) => day),
    rows.map(({ count }) => count),
    rows.map(({ firstAt }) => firstAt),
    rows.map(({ lastAt }) => lastAt),
    rows.map(({ code, message }) => (message === CATALOGUE[code].message ? null : message)),
    rows.map(({ client }) => (client === undefined ? null : productNumber(client.product))),
    rows.map(({ client }) => client?.clientAddress ?? null),
  ];
}

/**
 * Notes when keys were used and why they were refused (`lastUsedAt`, `lastRefusal`, counts per day); written in
 * batches, of which the `refusals` event tells.
 */
export interface KeyActivity {
  used(keyId: bigint): void;
  /** @param message more precise than the catalogue's */
  refused(keyId: bigint, code: RefusalCode, message?: string, client?: RefusedClient): void;
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
      ...tallies(batch),
    ];
    try {
      await singleStatement(services, async (db, publish) => {
        const counted = await db.query<RefusalsRow>(RECORD, values);
        if (counted.length > 0) publish('refusals', counted.map(refusalsOf));
      });
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
    const news: News = { usedAt: null, refusal: null, message: null, refusedAt: null, refusals: new Map() };
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
    refused(keyId, code, message = CATALOGUE[code].message, client) {
      const news = note(keyId);
      if (news === undefined) return;
      news.refusal = code;
      news.message = message;
      news.refusedAt = services.now();
      tally(news, { code, message, client }, news.refusedAt);
    },
    flush,
    close: flush,
  };
}
