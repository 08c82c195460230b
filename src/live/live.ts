import type { Sql } from '../database/sql.ts';
import { AppError } from '../errors.ts';
import type { Events, LiveUsage } from '../events.ts';
import type { Logger } from '../log.ts';
import { watchCredentials } from './credentials.ts';
import { createFeeds } from './feeds.ts';
import { createRefusalFeeds } from './refusalFeeds.ts';

/** Pause between polls when other instances share the database and their events are not heard. */
const DEAF_POLL_MS = 500;
/** Pause between polls when events are heard: only a safety net against a lost one. */
const HEARING_POLL_MS = 5_000;

export interface LiveOptions {
  readonly db: Sql;
  readonly events: Events;
  readonly log: Logger;
  readonly maxSubscriptionsPerAccount: number;
  /** Whether every event is heard now, wherever it happens: there is no other instance, or Redis answers. */
  readonly hearsAll: () => boolean;
}

/** What live streams share within this server. `close` stops its timers, after the streams have ended. */
export function createLiveUsage(options: LiveOptions): LiveUsage & { close(): void } {
  const { db, events, log, maxSubscriptionsPerAccount, hearsAll } = options;
  const pollMs = (): number => (hearsAll() ? HEARING_POLL_MS : DEAF_POLL_MS);
  const feeds = createFeeds({
    db,
    events,
    onError: (error) => log.warn({ err: error }, 'live usage: reading events failed, trying again'),
    pollMs,
  });
  const refusals = createRefusalFeeds({
    db,
    events,
    onError: (error) => log.warn({ err: error }, 'live refusals: reading counts failed, trying again'),
    pollMs,
  });
  const credentials = watchCredentials({
    db,
    events,
    hearsAll,
    onError: (error) => log.warn({ err: error }, 'live usage: checking credentials failed, trying again'),
  });
  const open = new Map<bigint, number>();
  return {
    follow: (accountId, onAdvance) => feeds.follow(accountId, onAdvance),
    followRefusals: (accountId, onRefused) => refusals.follow(accountId, onRefused),
    watched: (accountId) => feeds.watched(accountId),
    watchCredential: (credential, onDead, onRules) => credentials.watch(credential, onDead, onRules),
    admit(accountId) {
      const count = open.get(accountId) ?? 0;
      if (count >= maxSubscriptionsPerAccount) throw new AppError('TOO_MANY_SUBSCRIPTIONS');
      open.set(accountId, count + 1);
      return () => {
        const left = (open.get(accountId) ?? 1) - 1;
        if (left > 0) open.set(accountId, left);
        else open.delete(accountId);
      };
    },
    close() {
      feeds.close();
      refusals.close();
      credentials.close();
    },
  };
}
