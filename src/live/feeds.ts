import { sql, type Sql } from '../database/sql.ts';
import type { AccountEvent, Events, FeedReader } from '../events.ts';
import { accountEvent, type EventRow } from '../resolvers/ledger/eventRow.ts';
import { AccountFeed, PAGE_EVENTS } from './feed.ts';
import { repeat } from './repeat.ts';

const EVENTS_AFTER = sql(
  'usageEventsAfter',
  `select account_id, seq, at, kind, key_id, product, up, down, amount, balance, remaining, key_remaining
   from usage_event where account_id = $1 and seq > $2 order by seq limit ${PAGE_EVENTS}`,
);
const NUMBERS = sql('usageNumbers', 'select id, seq from account where id = any($1::bigint[])');

export interface FeedsOptions {
  readonly db: Sql;
  readonly events: Events;
  readonly onError: (error: unknown) => void;
  /** Milliseconds until the numbers of watched accounts are compared with the database again; asked each time. */
  readonly pollMs: () => number;
}

/** The feeds of all accounts that somebody streams: one per account, shared by its streams. */
export interface Feeds {
  follow(accountId: bigint, onAdvance: () => void): FeedReader;
  watched(accountId: bigint): boolean;
  close(): void;
}

/**
 * Feeds hear of new events at once where they are published, in this process or through Redis. What
 * cannot be heard (another instance without Redis, a lost message) is noticed by polling: one statement
 * for all watched accounts.
 */
export function createFeeds({ db, events, onError, pollMs }: FeedsOptions): Feeds {
  const feeds = new Map<bigint, AccountFeed>();
  const load = async (accountId: bigint, after: bigint): Promise<AccountEvent[]> =>
    (await db.query<EventRow>(EVENTS_AFTER, [accountId, after])).map(accountEvent);
  const poll = async (): Promise<void> => {
    if (feeds.size === 0) return;
    try {
      const rows = await db.query<{ id: bigint; seq: bigint }>(NUMBERS, [[...feeds.keys()]]);
      for (const { id, seq } of rows) feeds.get(id)?.reaches(seq);
    } catch (error) {
      onError(error);
    }
  };
  const stopPolling = repeat(poll, pollMs);
  const unsubscribe = [
    events.subscribe('accountEvents', (batch) => {
      if (feeds.size > 0) deliver(feeds, batch);
    }),
    events.subscribe('eventsLost', () => void poll()),
  ];
  return {
    follow(accountId, onAdvance) {
      const feed = feeds.get(accountId) ?? new AccountFeed(accountId, load, onError);
      feeds.set(accountId, feed);
      return feed.follow(onAdvance, () => void feeds.delete(accountId));
    },
    watched: (accountId) => feeds.has(accountId),
    close() {
      stopPolling();
      for (const stop of unsubscribe) stop();
    },
  };
}

/** Hands each feed its events of a batch in one call, so that they can be summed before they are sent. */
function deliver(feeds: ReadonlyMap<bigint, AccountFeed>, batch: readonly AccountEvent[]): void {
  const perAccount = new Map<AccountFeed, AccountEvent[]>();
  for (const event of batch) {
    const feed = feeds.get(event.accountId);
    if (feed === undefined) continue;
    const mine = perAccount.get(feed);
    if (mine === undefined) perAccount.set(feed, [event]);
    else mine.push(event);
  }
  for (const [feed, mine] of perAccount) feed.offer(mine);
}
