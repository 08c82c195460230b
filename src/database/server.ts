import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';

import { PrismaClient } from '../../prisma/generated/client/client.ts';
import type { Sql, SqlDatabase, Statement } from './sql.ts';

/** Connections of one process for plain SQL; Prisma has its own, smaller pool. */
const SQL_CONNECTIONS = 12;
const PRISMA_CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 5_000;
/** A statement that runs longer is ended by the server; one without an answer, on a dead connection, a little later by us. */
const STATEMENT_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 65_000;
/** Compiling a plan takes PostgreSQL longer than running it: our statements read few rows. */
const SESSION_OPTIONS = '-c jit=off';

/** What both pools share. */
const CONNECTION: pg.PoolConfig = {
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  statement_timeout: STATEMENT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  keepAlive: true,
  options: SESSION_OPTIONS,
};

const INT8 = 20;
const DATE = 1082;
const types = new pg.TypeOverrides();
types.setTypeParser(INT8, (value: string) => BigInt(value));
types.setTypeParser(DATE, (value: string) => value);

/** A pool on a PostgreSQL server. `onError` hears of idle connections that broke. */
export function openPool(url: string, onError: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    ...CONNECTION,
    max: SQL_CONNECTIONS,
    types,
    application_name: 'passerelle',
  });
  pool.on('error', onError);
  return pool;
}

/** A PostgreSQL server as a `SqlDatabase`. */
export function serverSql(pool: pg.Pool): SqlDatabase {
  return {
    query: (statement, values) => run(pool, statement, values),
    transaction: (work) => inTransaction(pool, work),
    script: async (text) => {
      await pool.query(text);
    },
  };
}

async function run<Row>(
  connection: pg.Pool | pg.PoolClient,
  statement: Statement,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const result = await connection.query({ name: statement.name, text: statement.text, values: [...values] });
  return result.rows as Row[];
}

async function inTransaction<T>(pool: pg.Pool, work: (tx: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level read committed');
    const result = await work({ query: (statement, values) => run(client, statement, values) });
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    // A connection that cannot roll back is broken: give it to nobody else.
    const broken = await client.query('rollback').then(
      () => undefined,
      (failure: unknown) => (failure instanceof Error ? failure : new Error(String(failure))),
    );
    client.release(broken);
    throw error;
  }
}

/** Prisma on the same server, with a pool of its own. */
export function serverPrisma(url: string): PrismaClient {
  const adapter = new PrismaPg(
    { connectionString: url, ...CONNECTION, max: PRISMA_CONNECTIONS },
    { statementNameGenerator: statementName },
  );
  return new PrismaClient({ adapter });
}

const MAX_STATEMENT_NAMES = 500;
const names = new Map<string, string>();

/** Prepares the statements Prisma repeats; past the cap (ad-hoc shapes) they run unnamed. */
function statementName({ sql }: { sql: string }): string {
  const known = names.get(sql);
  if (known !== undefined) return known;
  if (names.size >= MAX_STATEMENT_NAMES) return '';
  const name = `prisma_${names.size}`;
  names.set(sql, name);
  return name;
}
