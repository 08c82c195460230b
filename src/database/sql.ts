/**
 * The one way SQL is run outside Prisma: the same statements on the embedded database and on
 * a PostgreSQL server. Values come back alike on both: int8 as bigint, timestamptz as Date,
 * date and numeric as string, bytea as Uint8Array (a Buffer on PostgreSQL).
 */
export interface Sql {
  /** Runs one statement. Throws `DatabaseError` of the driver; its SQLSTATE is in `code`. */
  query<Row = Record<string, unknown>>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
}

/** A statement with a name, so that PostgreSQL plans it once per connection. Names are few and fixed. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Declares a statement: `sql('viewerByKey', 'select …')`. */
export function sql(name: string, text: string): Statement {
  return { name, text };
}

/** A database that can open transactions (READ COMMITTED). */
export interface SqlDatabase extends Sql {
  /**
   * Runs `work` in one transaction. Never wait for the network in it, and never use another
   * connection: the embedded database has a single one, so that would deadlock.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** Runs a script of several statements without parameters (migrations). */
  script(text: string): Promise<void>;
}

/** SQLSTATE of a failed statement, or undefined when the error is not the database's. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
