import type { Services } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import type { Billed, MeterSession } from '../../metering/session.ts';
import type { ProxyProduct } from '../../proxy/house.ts';
import { productNumber } from '../../units.ts';
import { singleStatement } from '../transaction.ts';

/** What is noted is written this long after the first of it, milliseconds. */
const FLUSH_MS = 2_000;
/** Rows that wait to be written, over all keys; what is above is not counted. */
const MAX_ROWS = 20_000;
/** Rows of one key that wait to be written; the traffic of more exits counts for `OTHER`. */
const MAX_ROWS_OF_KEY = 64;
const ROWS_PER_STATEMENT = 1_000;
/** In place of a name, where a key leaves through too many exits at once. */
const OTHER = 'other';

// In order, so that two instances cannot deadlock.
const ADD = sql(
  'exitUsageAdd',
  `insert into exit_usage as u (key_id, day, product, exit, up, down, connections)
   select n.key_id, n.day, n.product, n.exit, n.up, n.down, n.connections
   from unnest($1::bigint[], $2::date[], $3::smallint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
     as n (key_id, day, product, exit, up, down, connections)
   order by n.key_id, n.day, n.product, n.exit
   on conflict (key_id, day, product, exit) do update
     set up = u.up + excluded.up, down = u.down + excluded.down, connections = u.connections + excluded.connections`,
);

interface Through {
  readonly keyId: bigint;
  readonly product: ProxyProduct;
  readonly exit: string;
}

/** Traffic of one key through one exit on one UTC day, not yet written. Bytes are whole numbers below 2^53. */
interface Row extends Through {
  /** ISO 8601. */
  readonly day: string;
  up: number;
  down: number;
  connections: number;
  /** It is being written: what comes now belongs to another row. */
  taken: boolean;
}

/**
 * Traffic by exit: a statistic beside the bill. What is noted is written every two seconds. It differs from the bill
 * where a process is killed (what it had not written is lost here, and here alone), where the answer to a write is lost
 * (it is repeated, and may count twice), and where more rows wait than are kept.
 */
export interface ExitUsage {
  /** A metered connection leaves through this exit from now on. @returns what customers call the exit */
  departed(product: ProxyProduct, session: Pick<MeterSession, 'keyId' | 'follow'>, label: string): string;
  /** Writes what is noted. Never rejects: what cannot be written waits for the next time. */
  flush(): Promise<void>;
  /** Writes what is noted and stops. */
  close(): Promise<void>;
}

export function createExitUsage(services: Pick<Services, 'db' | 'events' | 'exits' | 'log' | 'now'>): ExitUsage {
  const { exits, log, now } = services;
  let pending = new Pending();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let complained = false;
  /** Who hears of the bytes of connections that have left since the last flush: those of one way share one. */
  let ways = new Map<bigint, Way[]>();

  const write = async (): Promise<void> => {
    const rows = pending.take();
    pending = new Pending();
    ways = new Map();
    for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
      const batch = rows.slice(start, start + ROWS_PER_STATEMENT);
      try {
        await singleStatement(services, (db) => db.query(ADD, columns(batch)));
        complained = false;
      } catch (error) {
        if (!complained) log.warn({ err: error, rows: batch.length }, 'traffic by exit could not be written');
        complained = true;
        for (const row of batch) again(row);
      }
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return (writing = writing.then(write));
  };
  const again = (row: Row): void => {
    const sum = rowFor(row, row.day);
    if (sum === undefined) return;
    sum.up += row.up;
    sum.down += row.down;
    sum.connections += row.connections;
  };
  const rowFor = (through: Through, day: string): Row | undefined => {
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
    return pending.row(through, day);
  };

  const wayOf = (through: Through): Way => {
    const { keyId, product, exit } = through;
    const known = ways.get(keyId) ?? [];
    const found = known.find((way) => way.exit === exit && way.product === product);
    if (found !== undefined) return found;
    const way = new Way(through, rowFor);
    // Beyond that each connection has its own.
    if (known.length < MAX_ROWS_OF_KEY) ways.set(keyId, [...known, way]);
    return way;
  };

  return {
    departed(product, session, label) {
      const way = wayOf({ keyId: session.keyId, product, exit: exits.name(product, label) });
      const row = way.row(dayOf(now().getTime()));
      if (row !== undefined) row.connections += 1;
      session.follow(way.billed);
      return way.exit;
    },
    flush,
    close: flush,
  };
}

/** The connections of one key through one exit. */
class Way implements Through {
  readonly keyId: bigint;
  readonly product: ProxyProduct;
  readonly exit: string;
  readonly #rowFor: (through: Through, day: string) => Row | undefined;
  #row: Row | undefined;

  constructor({ keyId, product, exit }: Through, rowFor: (through: Through, day: string) => Row | undefined) {
    this.keyId = keyId;
    this.product = product;
    this.exit = exit;
    this.#rowFor = rowFor;
  }

  readonly billed: Billed = (hour, up, down) => {
    const row = this.row(dayOf(hour));
    if (row === undefined) return;
    row.up += up;
    row.down += down;
  };

  /** The row of that day which is not being written. */
  row(day: string): Row | undefined {
    if (this.#row === undefined || this.#row.taken || this.#row.day !== day) this.#row = this.#rowFor(this, day);
    return this.#row;
  }
}

/** Sums by key, product, exit and day, so many of them at most. */
class Pending {
  /** Few of each key, so that looking at all of them is the quickest way. */
  readonly #keys = new Map<bigint, Row[]>();
  #size = 0;

  /** @returns undefined when there are too many */
  row(through: Through, day: string): Row | undefined {
    const { keyId, product, exit } = through;
    const rows = this.#keys.get(keyId);
    const known = rows?.find((row) => row.exit === exit && row.product === product && row.day === day);
    if (known !== undefined) return known;
    if (rows !== undefined && rows.length >= MAX_ROWS_OF_KEY && exit !== OTHER)
      return this.row({ keyId, product, exit: OTHER }, day);
    if (this.#size >= MAX_ROWS) return undefined;
    this.#size += 1;
    const row = { keyId, product, exit, day, up: 0, down: 0, connections: 0, taken: false };
    if (rows === undefined) this.#keys.set(keyId, [row]);
    else rows.push(row);
    return row;
  }

  /** All of them, to be written. */
  take(): Row[] {
    const rows = [...this.#keys.values()].flat();
    for (const row of rows) row.taken = true;
    return rows;
  }
}

const HOUR_MS = 3_600_000;
let lastHour = Number.NaN;
let lastDay = '';

/** UTC. Worked out once an hour: every connection asks. @param at Unix milliseconds */
function dayOf(at: number): string {
  const hour = Math.floor(at / HOUR_MS);
  if (hour !== lastHour) {
    lastHour = hour;
    lastDay = new Date(at).toISOString().slice(0, 10);
  }
  return lastDay;
}

function columns(rows: readonly Row[]): unknown[][] {
  return [
    rows.map(({ keyId }) => keyId),
    rows.map(({ day }) => day),
    rows.map(({ product }) => productNumber(product)),
    rows.map(({ exit }) => exit),
    rows.map(({ up }) => up),
    rows.map(({ down }) => down),
    rows.map(({ connections }) => connections),
  ];
}
