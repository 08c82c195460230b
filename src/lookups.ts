import type { Lookup } from './names.ts';

/** Names looked up at once; the next ones wait for a turn. */
const MAX_LOOKUPS = 256;
/** Of these, for one asker: a few who ask for names of silent name servers are not to take all. */
const MAX_LOOKUPS_OF_ONE = 32;
/** Names that may wait for a turn, of all and of one asker; beyond it the lookup fails at once. */
const MAX_WAITING = 8_192;
const MAX_WAITING_OF_ONE = 1_024;

/** Whose question it is: the id of a key. Undefined: of nobody who has a share of his own. */
export type Asker = bigint | undefined;

interface Question {
  readonly name: string;
  readonly asker: Asker;
  readonly answered: (found: readonly string[] | undefined) => void;
}

/** Looks names up: so many at once, so many for one asker, and those who wait have their turns one after the other. */
export class Lookups {
  readonly #lookup: Lookup;
  readonly #timeoutMs: number;
  /** By asker; the one whose turn is next comes first. No line is empty. */
  readonly #lines = new Map<Asker, Set<Question>>();
  readonly #runningOf = new Map<Asker, number>();
  #waiting = 0;
  #running = 0;

  /** @param timeoutMs for one name, waiting for a turn included */
  constructor(lookup: Lookup, timeoutMs: number) {
    this.#lookup = lookup;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns undefined for any failure */
  find(name: string, asker: Asker): Promise<readonly string[] | undefined> {
    return new Promise((resolve) => {
      if (!this.#hasRoom(asker)) return resolve(undefined);
      // What has waited too long is not begun: nobody would hear the answer.
      const timer = setTimeout(() => {
        this.#leave(question);
        resolve(undefined);
      }, this.#timeoutMs);
      const answered = (found: readonly string[] | undefined): void => {
        clearTimeout(timer);
        resolve(found);
      };
      const question = { name, asker, answered };
      this.#enter(question);
      this.#begin();
    });
  }

  #hasRoom(asker: Asker): boolean {
    const ofOne = this.#lines.get(asker)?.size ?? 0;
    return this.#waiting < MAX_WAITING && (asker === undefined || ofOne < MAX_WAITING_OF_ONE);
  }

  #enter(question: Question): void {
    const line = this.#lines.get(question.asker) ?? new Set<Question>();
    this.#lines.set(question.asker, line.add(question));
    this.#waiting++;
  }

  #leave(question: Question): void {
    const line = this.#lines.get(question.asker);
    if (line?.delete(question) !== true) return;
    this.#waiting--;
    if (line.size === 0) this.#lines.delete(question.asker);
  }

  /** As many as may be under way. */
  #begin(): void {
    while (this.#running < MAX_LOOKUPS) {
      const question = this.#next();
      if (question === undefined) return;
      this.#ask(question);
    }
  }

  #next(): Question | undefined {
    for (const [asker, line] of this.#lines) {
      if (asker !== undefined && (this.#runningOf.get(asker) ?? 0) >= MAX_LOOKUPS_OF_ONE) continue;
      const [question] = line;
      if (question === undefined) continue;
      this.#leave(question);
      // Behind all others.
      if (this.#lines.delete(asker)) this.#lines.set(asker, line);
      return question;
    }
    return undefined;
  }

  #ask({ name, asker, answered }: Question): void {
    this.#count(asker, 1);
    void this.#lookup(name)
      .catch(() => undefined)
      .then((found) => {
        this.#count(asker, -1);
        answered(found);
        this.#begin();
      });
  }

  #count(asker: Asker, change: 1 | -1): void {
    this.#running += change;
    const count = (this.#runningOf.get(asker) ?? 0) + change;
    if (count === 0) this.#runningOf.delete(asker);
    else this.#runningOf.set(asker, count);
  }
}
