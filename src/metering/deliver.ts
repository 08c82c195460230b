import type { AccountEvent } from '../events.ts';
import { sqlState } from '../database/sql.ts';
import type { TickAnswer, TickLine, TickRequest, TickResult } from '../resolvers/ledger/types.ts';
import type { Clock } from './clock.ts';
import { CALL_TIMEOUT_MS, CONFLICT_BACKOFF_MS, FIRST_BACKOFF_MS, LAST_BACKOFF_MS } from './limits.ts';
import type { FrozenRow } from './meter.ts';

/** Settles in the ledger; rejects when it cannot know whether that happened. */
export type TickFunction = (requests: readonly TickRequest[], lines: readonly TickLine[]) => Promise<TickResult>;

/** What became of a call. */
export interface Delivery {
  readonly fenced: boolean;
  readonly events: readonly AccountEvent[];
  readonly answers: ReadonlyMap<bigint, TickAnswer>;
  /** When the call that was answered was sent. */
  readonly sentAt: number;
  readonly now: Date;
}

export interface DeliverOptions {
  readonly tick: TickFunction;
  readonly clock: Clock;
  /** Hears of every failed try. */
  readonly failed: (error: unknown) => void;
  /** false: give up, nobody waits for the answer any more. */
  readonly wanted: () => boolean;
}

/**
 * Sends frozen rows until they are acknowledged, unchanged: the ledger applies each sequence once.
 * @returns undefined when the answer is not wanted any more; SPLIT when one of several rows makes
 *   the call fail: send them in smaller calls, so that it keeps no other key from being settled
 */
export async function deliver(
  rows: readonly FrozenRow[],
  options: DeliverOptions,
): Promise<Delivery | 'SPLIT' | undefined> {
  const { clock, failed, wanted } = options;
  const requests = rows.map((row) => row.request);
  const lines = rows.flatMap((row) => row.lines);
  for (let attempt = 0; wanted(); attempt += 1) {
    const sentAt = clock.now();
    try {
      const result = await within(clock, CALL_TIMEOUT_MS, options.tick(requests, lines));
      const answers = new Map(result.answers.map((answer) => [answer.keyId, answer]));
      return { fenced: result.fenced, events: result.events, answers, sentAt, now: result.now };
    } catch (error) {
      failed(error);
      if (rows.length > 1 && POISONED.test(sqlState(error) ?? '')) return 'SPLIT';
      await pause(clock, backoffMs(error, attempt));
    }
  }
  return undefined;
}

/** SQLSTATE classes that blame the data or the program, not the connection or the moment. */
const POISONED = /^(22|23|42|P0|XX)/;

/** Jitter keeps instances that collided from colliding again. */
function backoffMs(error: unknown, attempt: number): number {
  const conflict = sqlState(error) === '40001' || sqlState(error) === '40P01';
  const longest = conflict ? CONFLICT_BACKOFF_MS : Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return longest * (0.5 + Math.random() / 2);
}

/** Rejects when `work` takes longer than `ms`; what it does then is not known. */
export function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      reject(new Error(`no answer from the database within ${ms} ms`));
    });
    work.finally(cancel).then(resolve, reject);
  });
}

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
