import type { Services } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import type { MeterSession } from '../../metering/session.ts';
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

/** Traffic of one key through one exit on one UTC day, not yet written. Bytes are whole numbers below 2^53. */
interface Row {
  readonly keyId: bigint;
  /** ISO 8601. */
  readonly day: string;
  readonly product: ProxyProduct;
  readonly exit: string;
  up: number;
  down: number;
  connections: number;
}

/**
 * Traffic by exit: a statistic beside the bill, which it equals as long as no process is killed. What is noted is
 * written every two seconds; what a killed process had not written is lost here, and here alone.
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

  const write = async (): Promise<void> => {
    const { rows } = pending;
    pending = new Pending();
    for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
      const batch = rows.slice(start, start + ROWS_PER_STATEMENT);
      try {
        await singleStatement(services, (db) => db.query(ADD, columns(batch)));
        complained = false;
      } catch (error) {
        if (!complained) log.warn({ err: error, rows: batch.length }, 'traffic by exit could not be written');
        complained = true;
        for (const row of batch) note(row);
      }
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return (writing = writing.then(write));
  };
  const note = (row: Row): void => {
    pending.add(row);
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
  };

  return {
    departed(product, session, label) {
      const { keyId } = session;
      const exit = exits.name(product, label);
      const through = { keyId, product, exit };
      note({ ...through, day: dayOf(now().getTime()), up: 0, down: 0, connections: 1 });
      session.follow((hour, up, down) => note({ ...through, day: dayOf(hour), up, down, connections: 0 }));
      return exit;
    },
    flush,
    close: flush,
  };
}

/** Sums by key, product, exit and day, so many of them at most. */
class Pending {
  readonly #keys = new Map<bigint, Map<string, Row>>();
  readonly rows: Row[] = [];

  add(news: Row): void {
    const known = this.#keys.get(news.keyId) ?? new Map<string, Row>();
    this.#keys.set(news.keyId, known);
    const row = known.get(nameOf(news)) ?? this.#open(known, news);
    if (row === undefined) return;
    row.up += news.up;
    row.down += news.down;
    row.connections += news.connections;
  }

  #open(known: Map<string, Row>, { keyId, day, product, exit }: Row): Row | undefined {
    if (known.size >= MAX_ROWS_OF_KEY && exit !== OTHER) {
      const other = { keyId, day, product, exit: OTHER };
      return known.get(nameOf(other)) ?? this.#open(known, { ...other, up: 0, down: 0, connections: 0 });
    }
    if (this.rows.length >= MAX_ROWS) return undefined;
    const row = { keyId, day, product, exit, up: 0, down: 0, connections: 0 };
    known.set(nameOf(row), row);
    this.rows.push(row);
    return row;
  }
}

function nameOf({ day, product, exit }: Pick<Row, 'day' | 'product' | 'exit'>): string {
  return `${day} ${product} ${exit}`;
}

/** UTC. @param at Unix milliseconds */
function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
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
