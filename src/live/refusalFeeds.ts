import type { CountedRefusals, OnRefused } from '../events.ts';
import { RECENT_REFUSALS, refusalsOf, type RefusalsRow } from '../resolvers/refusals/counted.ts';
import type { FeedsOptions } from './feeds.ts';
import { LATE_MS, RefusalFeed } from './refusalFeed.ts';
import { repeat } from './repeat.ts';

/** Counts that one poll reads, those that grew last. */
const MAX_ROWS = 5_000;
/** Milliseconds that hold the counts of today and yesterday. */
const ALL_MS = 2 * 86_400_000;

/** The refused connections of all accounts that somebody watches: one feed per account, shared by its streams. */
export interface RefusalFeeds {
  /** @throws what the database throws */
  follow(accountId: bigint, onRefused: OnRefused): Promise<() => void>;
  close(): void;
}

/**
 * Feeds hear of refusals when they have been counted, in this process or through Redis. What cannot be heard
 * is found in the counts themselves: one statement for all watched accounts.
 */
export function createRefusalFeeds({ db, events, onError, pollMs }: FeedsOptions): RefusalFeeds {
  const feeds = new Map<bigint, RefusalFeed>();
  let polledAt = performance.now();
  const read = async (accountIds: readonly bigint[], sinceMs: number): Promise<CountedRefusals[]> => {
    const rows = await db.query<RefusalsRow>(RECENT_REFUSALS, [accountIds, sinceMs, MAX_ROWS]);
    return rows.map(refusalsOf);
  };
  const deliver = (batch: readonly CountedRefusals[]): void => {
    for (const refusals of batch) feeds.get(refusals.accountId)?.offer(refusals);
  };
  const poll = async (): Promise<void> => {
    const now = performance.now();
    try {
      if (feeds.size > 0) deliver(await read([...feeds.keys()], Math.round(now - polledAt) + LATE_MS));
      polledAt = now;
    } catch (error) {
      onError(error);
    }
  };
  const stopPolling = repeat(poll, pollMs);
  const unsubscribe = [events.subscribe('refusals', deliver), events.subscribe('eventsLost', () => void poll())];
  return {
    follow(accountId, onRefused) {
      const feed = feeds.get(accountId) ?? new RefusalFeed(() => read([accountId], ALL_MS));
      feeds.set(accountId, feed);
      return feed.follow(onRefused, () => {
        if (feeds.get(accountId) === feed) feeds.delete(accountId);
      });
    },
    close() {
      stopPolling();
      for (const stop of unsubscribe) stop();
    },
  };
}
