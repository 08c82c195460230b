import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import type { Sql } from '../../database/sql.ts';
import type { Events } from '../../events.ts';
import type { Logger } from '../../log.ts';
import type { LocalConnections } from '../../openConnection.ts';
import { answerAll, ask, collect, drop, openQuestions } from '../../resolvers/connections/questions.ts';
import { repeat } from '../repeat.ts';
import { read, write } from '../wire.ts';
import { answer, type Answer, type Question } from './question.ts';

/** How often an instance looks for what others ask; with Redis it is told. */
const LOOK_MS = 500;
/** How often who asks looks for answers. */
const COLLECT_MS = 50;
/** How long an answer is waited for: more than one look of a busy instance, and less than the two seconds promised. */
export const ANSWER_TIMEOUT_MS = 1_600;
/** Questions of this instance at once; beyond, it answers for itself alone. */
const MAX_ASKING = 100;
/** Of one account: nobody makes the answers to all others incomplete. */
const MAX_ASKING_OF_ACCOUNT = 10;
/** A standing question that is not repeated for so long is over. */
const STANDING_MS = 10_000;
/** Repetitions of a standing question after which an answer is too old. */
const MOST_ROUNDS_BEHIND = 3;

export interface ExchangeOptions {
  readonly db: Sql;
  readonly events: Events;
  readonly log: Logger;
  /** Of this instance; undefined before it has any. */
  readonly local: () => LocalConnections | undefined;
  /** As the ledger knows it; undefined before it does. */
  readonly instanceId: () => string | undefined;
}

/** What the others said. */
export interface Answers {
  readonly answers: ReadonlyMap<string, Answer>;
  /** Everybody who lives did, and not too long ago. */
  readonly complete: boolean;
}

const NOBODY: Answers = { answers: new Map(), complete: true };
const UNASKED: Answers = { answers: new Map(), complete: false };

/**
 * Instances on one database ask each other through two small tables: one writes a question, the others see it at their
 * next look and write their answers. An instance that does not answer in time is not waited for.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #stops: readonly (() => void)[];
  #asking = 0;
  /** Questions under way, by account; none has 0. */
  readonly #askers = new Map<bigint, number>();
  #answering: Promise<void> | undefined;
  #closed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#stops = [
      repeat(
        () => this.#look(),
        () => LOOK_MS,
      ),
      options.events.subscribe('connectionsAsked', () => void this.#look()),
    ];
  }

  /** Asks every other instance, or one, for an account. @throws when the database does not answer */
  async ask(accountId: bigint, question: Question, addresseeId: string | null = null): Promise<Answers> {
    const { db, events, instanceId } = this.#options;
    const askerId = instanceId();
    if (askerId === undefined || !this.#admit(accountId)) return UNASKED;
    const id = randomUUID();
    try {
      const posed = { id, askerId, addresseeId, question: write(question), forMs: ANSWER_TIMEOUT_MS };
      const others = await ask(db, posed);
      if (others.length === 0) return NOBODY;
      events.publish('connectionsAsked', { by: askerId });
      const answers = await this.#collect(id, others.length);
      await drop(db, id);
      return { answers, complete: others.every(({ instance_id: other }) => answers.has(other)) };
    } finally {
      this.#dismiss(accountId);
    }
  }

  /** Repeats a question that stands until it is dropped. @returns what was said last, without waiting */
  async stand(id: string, question: Question): Promise<Answers> {
    const askerId = this.#options.instanceId();
    if (askerId === undefined) return UNASKED;
    const posed = { id, askerId, addresseeId: null, question: write(question), forMs: STANDING_MS };
    const answers = new Map<string, Answer>();
    let complete = true;
    for (const { instance_id: other, round, answered, answer: text } of await ask(this.#options.db, posed)) {
      if (text !== null) answers.set(other, read(text) as Answer);
      complete &&= answered !== null && answered >= round - MOST_ROUNDS_BEHIND;
    }
    return { answers, complete };
  }

  async drop(id: string): Promise<void> {
    await drop(this.#options.db, id);
  }

  /** Answers nobody any more. @returns when the last look is over */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    await this.#answering;
  }

  /** @returns false when too many questions are under way */
  #admit(accountId: bigint): boolean {
    const own = this.#askers.get(accountId) ?? 0;
    if (this.#asking >= MAX_ASKING || own >= MAX_ASKING_OF_ACCOUNT) return false;
    this.#asking++;
    this.#askers.set(accountId, own + 1);
    return true;
  }

  #dismiss(accountId: bigint): void {
    this.#asking--;
    const left = (this.#askers.get(accountId) ?? 0) - 1;
    if (left > 0) this.#askers.set(accountId, left);
    else this.#askers.delete(accountId);
  }

  async #collect(id: string, count: number): Promise<Map<string, Answer>> {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const said = await collect(this.#options.db, id);
      if (said.length >= count || performance.now() >= deadline || this.#closed) {
        // Instances of one fleet speak one version of `Answer`.
        return new Map(said.map(({ instance_id: other, answer: text }) => [other, read(text) as Answer]));
      }
      await delay(COLLECT_MS);
    }
  }

  /** One look at a time: who asks meanwhile is found by the next. */
  #look(): Promise<void> {
    return (this.#answering ??= this.#answer().finally(() => (this.#answering = undefined)));
  }

  async #answer(): Promise<void> {
    const { db, local, instanceId, log } = this.#options;
    const own = instanceId();
    const connections = local();
    if (own === undefined || connections === undefined || this.#closed) return;
    try {
      const questions = await openQuestions(db, own);
      if (questions.length === 0) return;
      const answers = questions.map(({ id, round, question }) => ({
        id,
        round,
        answer: write(answer(connections, own, read(question) as Question)),
      }));
      await answerAll(db, own, answers);
    } catch (error) {
      log.warn({ err: error }, 'answering other instances about open connections failed');
    }
  }
}
