import type { Sql } from '../database/sql.ts';
import type { EventMap, Events } from '../events.ts';
import type { Logger } from '../log.ts';
import { beat } from '../resolvers/ledger/beat.ts';
import { tick } from '../resolvers/ledger/tick.ts';
import { createCellTable } from './cells.ts';
import { systemClock, type Clock } from './clock.ts';
import { pause } from './deliver.ts';
import { MeteringInstance } from './instance.ts';
import { REJOIN_RETRY_MS } from './limits.ts';
import type { OpenSession } from './session.ts';
import { zeroCounters, type SettleCounters } from './counters.ts';

/** The two calls of the ledger that the meter makes. */
export interface MeterLedger {
  readonly tick: typeof tick;
  readonly beat: typeof beat;
}

export interface MeteringOptions {
  readonly sql: Sql;
  readonly events: Events;
  /** A registered instance (`openInstance`), new at every start of the process. */
  readonly instanceId: string;
  /** The account has a live subscriber: settle more often. */
  readonly watched: (accountId: bigint) => boolean;
  readonly log: Logger;
  /** The instance was taken for dead: registers another. @returns its id; repeated when it rejects */
  readonly onFenced: () => Promise<string>;
  readonly clock?: Clock;
  readonly ledger?: MeterLedger;
}

/** Figures for metrics. */
export interface MeteringStats extends Readonly<SettleCounters> {
  readonly openSessions: number;
  /** Keys that hold a lease or have something to settle. */
  readonly activeKeys: number;
  /** Bytes that flowed and that the ledger has not acknowledged. */
  readonly unbilledBytes: number;
  /** false: the database has been silent for too long, nothing is forwarded. */
  readonly forwarding: boolean;
  /** Milliseconds for which the heartbeat has run without a gap: who judges others by theirs needs a whole TTL. */
  readonly steadyMs: number;
}

export interface Metering {
  readonly openSession: OpenSession;
  /**
   * One cell, shared with other threads: when nothing may be forwarded any more, in milliseconds of the clock.
   * Half the TTL of an instance after the last acknowledged beat was sent.
   */
  readonly forwardUntil: Float64Array;
  /** The terms of keys changed. Called on `leasesChanged` events by itself. */
  refresh(change: EventMap['leasesChanged']): void;
  /** @returns when the first beat has been acknowledged; until then every session is refused */
  start(): Promise<void>;
  /**
   * Ends all sessions, settles everything and gives all leases back, for at most `limitMs`; then
   * stops for good.
   * @returns bytes that flowed and could not be settled in time: 0 unless the database is away
   */
  drain(limitMs: number): Promise<{ readonly unsettledBytes: number }>;
  stats(): MeteringStats;
}

/** Metering of one process: leases from the ledger, divided among connections, and settled. */
export function createMetering(options: MeteringOptions): Metering {
  const { sql, events, log, watched, clock = systemClock, ledger = { tick, beat } } = options;
  const cells = createCellTable((bytes) => new SharedArrayBuffer(bytes));
  const forwardUntil = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  const counters = zeroCounters();
  let stopped = false;
  let current = join(options.instanceId);
  let unsubscribe = (): void => {};

  function join(instanceId: string): MeteringInstance {
    return new MeteringInstance({
      clock,
      cells,
      forwardUntil,
      counters,
      watched,
      tick: (requests, lines) => ledger.tick(sql, instanceId, requests, lines),
      beat: () => ledger.beat(sql, instanceId),
      applied: ({ events: published }) => {
        if (published.length > 0) events.publish('accountEvents', published);
      },
      fenced: () => void rejoin(instanceId),
      warn: (facts, message) => log.warn(facts, message),
      alarm: (facts, message) => log.error(facts, message),
    });
  }

  async function rejoin(lost: string): Promise<void> {
    log.error({ instanceId: lost }, 'this instance was fenced: all connections are closed');
    for (;;) {
      try {
        const instanceId = await options.onFenced();
        if (stopped) return;
        current = join(instanceId);
        await current.start();
        return;
      } catch (error) {
        if (stopped) return;
        log.warn({ err: error }, 'registering again failed');
        await pause(clock, REJOIN_RETRY_MS);
      }
    }
  }

  return {
    openSession: (key, product) => current.open(key, product),
    forwardUntil,
    refresh: (change) => current.refresh(change),
    start() {
      unsubscribe = events.subscribe('leasesChanged', (change) => current.refresh(change));
      return current.start();
    },
    async drain(limitMs) {
      unsubscribe();
      await new Promise<void>((resolve) => {
        const cancel = clock.after(limitMs, resolve);
        void current.drain().then(cancel).then(resolve);
      });
      stopped = true;
      const unsettledBytes = current.unbilledBytes;
      current.stop();
      return { unsettledBytes };
    },
    stats: () => ({
      ...counters,
      openSessions: current.openSessions,
      activeKeys: current.activeKeys,
      unbilledBytes: current.unbilledBytes,
      forwarding: current.mayForward(),
      steadyMs: current.steadyMs,
    }),
  };
}
