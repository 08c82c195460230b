import type { Denial } from '../../keyRules.ts';
import type { ExitSpec } from './config.ts';
import type { Exit, Setback } from './exit.ts';
import type { Departure } from './journey.ts';
import type { ExitPool, Traveller } from './pool.ts';

/** Exits that are tried for one association. */
const MAX_EXITS_TRIED = 4;

/** This machine is short of what a UDP socket takes. */
export const NO_SOCKET: Denial = {
  code: 'SERVICE_UNAVAILABLE',
  message: 'The service cannot open a UDP socket now; try again shortly.',
};

/**
 * Finds the exit of one association: says what to try next and is told what came of it. Like a journey, but
 * without a target: whom the client will write to is not known yet, so nothing is learnt about the exit but
 * that it fails. No input and output here.
 */
export class Passage {
  readonly #pool: ExitPool;
  readonly #traveller: Traveller;
  readonly #now: () => number;
  readonly #tried = new Set<Exit>();
  #exit: Exit | undefined;
  /** This machine lacks something, whichever exit is tried. */
  #short = false;

  /** @param now milliseconds since 1970, of a clock that does not go backwards */
  constructor(pool: ExitPool, traveller: Traveller, now: () => number) {
    this.#pool = pool;
    this.#traveller = traveller;
    this.#now = now;
  }

  /** @returns undefined when no exit that carries datagrams is left */
  next(): ExitSpec | undefined {
    if (this.#short || this.#tried.size >= MAX_EXITS_TRIED) return undefined;
    this.#exit = this.#pool.pickForDatagrams(this.#traveller, this.#tried, this.#now());
    return this.#exit?.spec;
  }

  /** The association leaves through it. */
  opened(): Departure {
    const exit = this.#exit;
    if (exit === undefined) throw new Error('opened without an exit');
    exit.associated();
    return exit;
  }

  /** It came to nothing. Held against the exit only when it does not do its work for connections either. */
  failed({ blame, detail }: Pick<Setback, 'blame' | 'detail'>): void {
    const exit = this.#exit;
    if (exit === undefined) throw new Error('failed without an exit');
    if (blame === 'EXIT') exit.failed(this.#now(), false, detail);
    this.#short = blame === 'NOBODY';
    this.#tried.add(exit);
  }

  /** Why there is none. */
  get denial(): Denial {
    if (this.#short) return NO_SOCKET;
    const message =
      this.#tried.size > 0
        ? 'No exit can take the UDP association now; try again shortly.'
        : 'No exit of this product carries UDP; use TCP, or the port of another product.';
    return { code: 'EXIT_UNAVAILABLE', message };
  }
}
