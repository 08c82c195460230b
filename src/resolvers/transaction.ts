import { setTimeout as sleep } from 'node:timers/promises';

import type { Services } from '../context.ts';
import { sqlState, type Sql } from '../database/sql.ts';
import type { EventMap, EventName, Events } from '../events.ts';

/** Serialization failure and deadlock: the transaction left no trace and may simply run again. */
const RETRIED = new Set(['40001', '40P01']);
const MAX_ATTEMPTS = 5;
const BACKOFF_MS = 20;

/** Queues an event until the transaction has committed. */
export type Publish = Events['publish'];

type Work<T> = (tx: Sql, publish: Publish) => Promise<T>;
type Writer = Pick<Services, 'db' | 'events'>;

/**
 * The one way to write: runs `work` in a transaction, again (with jitter, a bounded number of
 * times) after serialization failures and deadlocks, and publishes its events after the commit.
 * `work` must use `tx` alone: the embedded database has a single connection.
 */
export function transaction<T>(ctx: Writer, work: Work<T>): Promise<T> {
  return attempt(ctx, (publish) => ctx.db.transaction((tx) => work(tx, publish)));
}

/** The same for work of a single statement, which is a transaction by itself: saves two round trips. */
export function singleStatement<T>(ctx: Writer, work: Work<T>): Promise<T> {
  return attempt(ctx, (publish) => work(ctx.db, publish));
}

async function attempt<T>({ events }: Writer, run: (publish: Publish) => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    const outbox: (() => void)[] = [];
    const publish = <Name extends EventName>(name: Name, event: EventMap[Name]): void => {
      outbox.push(() => events.publish(name, event));
    };
    try {
      const result = await run(publish);
      for (const send of outbox) send();
      return result;
    } catch (error) {
      if (attempts === MAX_ATTEMPTS || !RETRIED.has(sqlState(error) ?? '')) throw error;
      await sleep(Math.random() * BACKOFF_MS * 2 ** attempts);
    }
  }
}
