import type { Exits, ExitState, Services } from '../../context.ts';
import type { ExitPool } from '../../proxy/exits/pool.ts';
import { createExitName, type ExitName } from './names.ts';
import { exitsVersion, openEntry, readExits, type ExitBook, type ExitRow } from './rows.ts';

/** How often an instance asks whether anything has changed: what is not heard is obeyed within this and a moment. */
const POLL_MS = 1_000;

type Pools = Readonly<Record<ExitState['product'], ExitPool>>;

/** The exits of this instance, kept as the database says. */
export interface Roster extends Exits {
  /** Applies the rows, and from then on every change of them. @throws when the database cannot be read */
  start(): Promise<void>;
  close(): void;
}

/**
 * Applies what the operator said to the pools of this instance: when it starts, when it hears of a change, and when it
 * finds by a look every second that the version is another one. While the database is away the pools stay as they are.
 * @param pools with the configured exits in them
 */
export function createRoster(services: Pick<Services, 'db' | 'events' | 'keys' | 'log'>, pools: Pools): Roster {
  return new ExitRoster(services, pools);
}

class ExitRoster implements Roster {
  readonly name: ExitName;
  readonly #services: Pick<Services, 'db' | 'events' | 'keys' | 'log'>;
  readonly #books: readonly PoolBook[];
  #version: bigint | undefined;
  /** The reading that is under way, and the one that begins after it. */
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #unsubscribe: readonly (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #complained = false;

  constructor(services: Pick<Services, 'db' | 'events' | 'keys' | 'log'>, { SHARED, DEDICATED }: Pools) {
    this.#services = services;
    this.name = createExitName(services.keys);
    this.#books = [new PoolBook('SHARED', SHARED), new PoolBook('DEDICATED', DEDICATED)];
  }

  list(): readonly ExitState[] {
    return this.#books.flatMap((book) => book.list(this.name));
  }

  refresh(): Promise<void> {
    // What is read by now may be older than what the caller has just written.
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      const reading = this.#read();
      this.#reading = reading.catch(() => {});
      return reading;
    });
    return this.#next;
  }

  async start(): Promise<void> {
    const { events } = this.#services;
    this.#started = true;
    const heard = (): void => void this.refresh().catch((error: unknown) => this.#complain(error));
    this.#unsubscribe = [events.subscribe('exitsChanged', heard), events.subscribe('eventsLost', heard)];
    await this.refresh();
    this.#schedule();
  }

  close(): void {
    this.#started = false;
    clearTimeout(this.#timer);
    for (const stop of this.#unsubscribe) stop();
  }

  #schedule(): void {
    // Nobody else writes to an embedded database.
    if (!this.#started || this.#services.db.kind === 'embedded') return;
    this.#timer = setTimeout(() => void this.#poll(), POLL_MS).unref();
  }

  async #poll(): Promise<void> {
    try {
      if ((await exitsVersion(this.#services.db)) !== this.#version) await this.refresh();
      this.#complained = false;
    } catch (error) {
      this.#complain(error);
    }
    this.#schedule();
  }

  #complain(error: unknown): void {
    if (!this.#complained)
      this.#services.log.warn({ err: error }, 'the exits could not be read: they stay as they are');
    this.#complained = true;
  }

  async #read(): Promise<void> {
    const book = await readExits(this.#services.db);
    if (book.version === this.#version) return;
    this.#version = book.version;
    for (const each of this.#books) each.apply(book, (row) => this.#open(row));
  }

  /** @returns undefined when it cannot be read */
  #open(row: ExitRow) {
    const { keys, log } = this.#services;
    try {
      return openEntry(keys, row);
    } catch (error) {
      log.error(
        { err: error, exit: row.label },
        'an exit cannot be read; was MASTER_KEY changed? Remove it and add it',
      );
      return undefined;
    }
  }
}

/** One pool, and where its exits come from. */
class PoolBook {
  readonly #product: ExitState['product'];
  readonly #pool: ExitPool;
  readonly #configured: ReadonlySet<string>;
  /** Rows of the exits that were added, by label. */
  readonly #added = new Map<string, bigint>();

  constructor(product: ExitState['product'], pool: ExitPool) {
    this.#product = product;
    this.#pool = pool;
    this.#configured = new Set(pool.stats.map(({ id }) => id));
  }

  list(name: ExitName): readonly ExitState[] {
    return this.#pool.stats.map(({ id: label, ...stats }) => ({
      ...stats,
      name: name(this.#product, label),
      product: this.#product,
      label,
      origin: this.#configured.has(label) ? 'CONFIGURED' : 'ADDED',
    }));
  }

  /** All at once: nobody leaves in between, through an exit that is about to be somebody's own. */
  apply({ rows }: ExitBook, open: (row: ExitRow) => Parameters<ExitPool['add']>[0] | undefined): void {
    const wanted = new Map(rows.filter(({ product }) => product === this.#product).map((row) => [row.label, row]));
    for (const [label, id] of this.#added) {
      // Another row is another exit, with another password maybe.
      const row = wanted.get(label);
      if (row?.id === id && row.spec !== null) continue;
      this.#pool.remove(label);
      this.#added.delete(label);
    }
    for (const row of wanted.values()) {
      if (row.spec === null || this.#configured.has(row.label) || this.#added.has(row.label)) continue;
      const spec = open(row);
      if (spec === undefined) continue;
      this.#pool.add(spec);
      this.#added.set(row.label, row.id);
    }
    for (const { id: label, drained, accountIds } of this.#pool.stats) {
      const row = wanted.get(label);
      if (drained !== (row?.drained ?? false)) this.#pool.drain(label, !drained);
      const assigned = row?.accountIds ?? [];
      if (assigned.length !== accountIds.length || assigned.some((id) => !accountIds.includes(id)))
        this.#pool.assign(label, assigned);
    }
  }
}
