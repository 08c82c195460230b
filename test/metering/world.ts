import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';

import { localEvents, type AccountEvent, type Events } from '../../src/events.ts';
import { createMetering, type MeterLedger, type Metering } from '../../src/metering/metering.ts';
import { beat } from '../../src/resolvers/ledger/beat.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import type { TickRequest } from '../../src/resolvers/ledger/types.ts';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { newInstance } from '../resolvers/ledger/fixture.ts';
import { ManualClock } from './manualClock.ts';
import { Stream } from './stream.ts';

/** Opens worlds of one test file, all on one database: each has accounts and instances of its own. Called once, beside the tests. */
export function worldsOfFile(): (start?: Date) => World {
  let db: TestDatabase | undefined;
  // A hook may take longer than a test.
  beforeAll(async () => {
    db = await openTestDatabase();
  });
  afterAll(() => db?.close());
  return (start) => {
    if (db === undefined) throw new Error('worlds are opened by tests');
    return new World(db, start);
  };
}

/** What a test may do to the calls of one instance. */
export interface Line {
  /** The database cannot be reached. */
  cut: boolean;
  /** The next so many ticks are applied, and their answers lost. */
  loseAnswers: number;
  /** Calls that settle this key fail. */
  poison: bigint | undefined;
  /** Every tick is sent again, later, as a late duplicate. */
  duplicate: boolean;
}

export interface TestInstance {
  readonly metering: Metering;
  readonly line: Line;
  /** When each key was ticked, in milliseconds of the test's clock. */
  readonly ticks: { readonly at: number; readonly request: TickRequest }[];
  readonly published: AccountEvent[];
  readonly events: Events;
  ids: string[];
}

/** One database, one clock, any number of metering instances. */
export class World implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly db: TestDatabase;
  readonly #start: number;
  readonly #instances: TestInstance[] = [];
  #underWay = 0;

  constructor(db: TestDatabase, start = new Date('2026-03-10T10:20:00Z')) {
    this.db = db;
    this.#start = start.getTime();
  }

  /** The database's clock. */
  now(): Date {
    return new Date(this.#start + this.clock.now());
  }

  async instance(watched: (accountId: bigint) => boolean = () => false): Promise<TestInstance> {
    const line: Line = { cut: false, loseAnswers: 0, poison: undefined, duplicate: false };
    const ticks: TestInstance['ticks'] = [];
    const published: AccountEvent[] = [];
    const events = localEvents((error) => {
      throw error;
    });
    events.subscribe('accountEvents', (some) => published.push(...some));
    const register = (): Promise<string> => this.#track(() => newInstance(this.db, this.now()));
    const instanceId = await register();
    const ids = [instanceId];
    const metering = createMetering({
      sql: this.db,
      events,
      instanceId,
      watched,
      log: pino({ level: 'silent' }),
      clock: this.clock,
      ledger: this.#ledger(line, ticks),
      onFenced: async () => {
        const next = await register();
        ids.push(next);
        return next;
      },
    });
    const instance = { metering, line, ticks, published, events, ids };
    this.#instances.push(instance);
    const started = metering.start();
    await this.quiet();
    await started;
    return instance;
  }

  #ledger(line: Line, ticks: TestInstance['ticks']): MeterLedger {
    const refuse = (): void => {
      if (line.cut) throw Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' });
    };
    return {
      beat: (db, id) =>
        this.#track(async () => {
          refuse();
          return beat(db, id, this.now());
        }),
      tick: (db, id, requests, lines) =>
        this.#track(async () => {
          refuse();
          if (requests.some(({ keyId }) => keyId === line.poison)) {
            throw Object.assign(new Error('out of range'), { code: '22003' });
          }
          const at = this.clock.now();
          for (const request of requests) ticks.push({ at, request });
          const result = await tick(db, id, requests, lines, this.now());
          if (line.duplicate) {
            this.clock.after(700, () => void this.#track(() => tick(db, id, requests, lines, this.now())));
          }
          if (line.loseAnswers > 0) {
            line.loseAnswers -= 1;
            throw Object.assign(new Error('connection lost'), { code: '08006' });
          }
          return result;
        }),
    };
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Resolves when no call is under way and everything it led to has run. */
  async quiet(): Promise<void> {
    for (let calm = 0; calm < CALM_TURNS; calm += 1) {
      if (this.#underWay > 0) calm = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  pass(ms: number): Promise<void> {
    return this.clock.advance(ms, () => this.quiet());
  }

  /** Opens a session, letting as much time pass as that needs. */
  async open(instance: TestInstance, accountId: bigint, keyId: bigint, product: 'SHARED' | 'DEDICATED' = 'SHARED') {
    const opening = Promise.resolve(instance.metering.openSession({ keyId, accountId }, product));
    const state = { done: false };
    void opening.then(() => (state.done = true));
    for (let waited = 0; !state.done && waited < 6_000; waited += 5) await this.pass(5);
    return opening;
  }

  async stream(
    instance: TestInstance,
    accountId: bigint,
    keyId: bigint,
    product: 'SHARED' | 'DEDICATED' = 'SHARED',
  ): Promise<Stream> {
    const opened = await this.open(instance, accountId, keyId, product);
    if ('refusal' in opened) throw new Error(`refused: ${opened.refusal}`);
    return new Stream(opened.session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { metering, line } of this.#instances) {
      line.cut = false;
      const drained = metering.drain(1_000);
      await this.pass(2_000);
      await drained;
    }
  }
}

/** Turns of the event loop without a call under way, after which nothing more will happen by itself. */
const CALM_TURNS = 3;
