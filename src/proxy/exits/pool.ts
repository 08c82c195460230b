import type { StickySession } from '../username.ts';
import type { ExitSpec } from './config.ts';
import { Exit, type ExitStats, type ExitWatch } from './exit.ts';
import { Sessions } from './sessions.ts';

/** Who leaves. */
export interface Traveller {
  readonly accountId: bigint;
  readonly keyId: bigint;
  readonly session: StickySession | undefined;
}

/** Exits that are taken in turn; drained ones are not among them. */
interface Ring {
  readonly exits: readonly Exit[];
  turn: number;
}

/** What an exit is needed for. */
interface Wish {
  readonly fits: (exit: Exit) => boolean;
  /** Exits that failed it already. */
  readonly tried: ReadonlySet<Exit>;
  /** Its session moves with it to another exit. */
  readonly moves: boolean;
}

/**
 * The exits of one product. Each connection takes the next one; connections of a session stay with
 * theirs. An account that has exits of its own uses those and nobody else does; all others share the rest.
 */
export class ExitPool {
  readonly #changed: ExitWatch;
  readonly #isChecked: boolean;
  readonly #sessions = new Sessions<Exit>();
  #exits: readonly Exit[];
  #everybody: Ring = { exits: [], turn: 0 };
  #assigned: ReadonlyMap<bigint, Ring> = new Map();

  /**
   * @param changed hears when an exit goes into quarantine, and when it comes out
   * @param isChecked somebody asks for those that are `unchecked`
   */
  constructor(specs: readonly ExitSpec[], changed: ExitWatch = () => undefined, isChecked = false) {
    this.#changed = changed;
    this.#isChecked = isChecked;
    this.#exits = specs.map((spec) => new Exit(spec, changed, isChecked));
    this.#arrange();
  }

  /** @returns false when it has one of that name */
  add(spec: ExitSpec): boolean {
    if (this.#find(spec.label) !== undefined) return false;
    this.#exits = [...this.#exits, new Exit(spec, this.#changed, this.#isChecked)];
    this.#arrange();
    return true;
  }

  /** Connections through it go on, and sessions move to another. @returns false when there is no such exit */
  remove(id: string): boolean {
    const exit = this.#find(id);
    if (exit === undefined) return false;
    this.#exits = this.#exits.filter((other) => other !== exit);
    this.#arrange();
    return true;
  }

  /** A drained exit takes nobody new; connections through it go on. @returns false when there is no such exit */
  drain(id: string, drained = true): boolean {
    const exit = this.#find(id);
    if (exit === undefined) return false;
    exit.drained = drained;
    this.#arrange();
    return true;
  }

  /** Reserves an exit for accounts; for everybody when there are none. @returns false when there is no such exit */
  assign(id: string, accountIds: readonly bigint[]): boolean {
    const exit = this.#find(id);
    if (exit === undefined) return false;
    exit.accountIds = new Set(accountIds);
    this.#arrange();
    return true;
  }

  get stats(): readonly ExitStats[] {
    return this.#exits.map((exit) => exit.stats);
  }

  /** Exits whose pause has ended, to be checked before a connection may try them. */
  unchecked(now: number): readonly Exit[] {
    return this.#exits.filter(({ health }) => health.unchecked(now));
  }

  /** Exits that this account may leave through. */
  sizeFor(traveller: Traveller): number {
    return this.#ring(traveller).exits.length;
  }

  /**
   * The exit of the next attempt. Nobody waits for a pause to end: when no exit is fit and none was
   * tried yet, it is the one whose pause ends first.
   * @param tried exits that failed the connection already
   */
  pick(traveller: Traveller, addresses: readonly string[], tried: ReadonlySet<Exit>, now: number): Exit | undefined {
    const fits = (exit: Exit): boolean => exit.reachable(addresses).length > 0;
    return this.#take(traveller, { fits, tried, moves: true }, now);
  }

  /**
   * The exit of an association. A session goes on sticking to an exit that cannot carry datagrams: its
   * connections do not move because of them.
   * @param tried exits that failed the association already
   */
  pickForDatagrams(traveller: Traveller, tried: ReadonlySet<Exit>, now: number): Exit | undefined {
    return this.#take(traveller, { fits: (exit) => exit.carriesDatagrams, tried, moves: false }, now);
  }

  #take(traveller: Traveller, { fits, tried, moves }: Wish, now: number): Exit | undefined {
    const { session, keyId } = traveller;
    const pinned = session === undefined ? undefined : this.#sessions.find(keyId, session, now);
    const usable = (exit: Exit): boolean => !tried.has(exit) && fits(exit);
    const exit = this.#choose(traveller, pinned, usable, now, tried.size === 0);
    // At once, so that connections of a session that begin together leave together.
    if (exit !== undefined && exit !== pinned && session !== undefined && (moves || pinned === undefined))
      this.#sessions.pin(keyId, session, exit, now);
    return exit;
  }

  /** @param first none was tried yet: one that is in its pause is better than none */
  #choose(
    traveller: Traveller,
    pinned: Exit | undefined,
    usable: (exit: Exit) => boolean,
    now: number,
    first: boolean,
  ): Exit | undefined {
    const ring = this.#ring(traveller);
    if (pinned !== undefined && usable(pinned) && pinned.health.admits(now) && ring.exits.includes(pinned))
      return pinned;
    const chosen = inTurn(ring, (exit) => exit.health.admits(now) && usable(exit));
    return chosen ?? (first ? soonest(ring.exits.filter(usable)) : undefined);
  }

  #ring(traveller: Traveller): Ring {
    return this.#assigned.get(traveller.accountId) ?? this.#everybody;
  }

  #find(id: string): Exit | undefined {
    return this.#exits.find(({ spec }) => spec.label === id);
  }

  #arrange(): void {
    const owners = new Set(this.#exits.flatMap(({ accountIds }) => [...accountIds]));
    const open = this.#exits.filter(({ drained }) => !drained);
    const ring = (before: Ring | undefined, has: (exit: Exit) => boolean): Ring => ({
      exits: open.filter(has),
      turn: before?.turn ?? 0,
    });
    const before = this.#assigned;
    this.#everybody = ring(this.#everybody, ({ accountIds }) => accountIds.size === 0);
    this.#assigned = new Map(
      [...owners].map((owner) => [owner, ring(before.get(owner), ({ accountIds }) => accountIds.has(owner))]),
    );
  }
}

function inTurn(ring: Ring, fits: (exit: Exit) => boolean): Exit | undefined {
  for (let step = 0; step < ring.exits.length; step++) {
    const index = (ring.turn + step) % ring.exits.length;
    const exit = ring.exits[index];
    if (exit === undefined || !fits(exit)) continue;
    ring.turn = index + 1;
    return exit;
  }
  return undefined;
}

function soonest(exits: readonly Exit[]): Exit | undefined {
  return exits.reduce<Exit | undefined>(
    (best, exit) => (best === undefined || exit.health.pausedUntil < best.health.pausedUntil ? exit : best),
    undefined,
  );
}
