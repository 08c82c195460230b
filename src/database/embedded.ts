import { types, type PGlite, type Results, type Transaction } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';

import { PrismaClient } from '../../prisma/generated/client/client.ts';
import type { Sql, SqlDatabase, Statement } from './sql.ts';

const PARSERS = {
  [types.INT8]: (value: string) => BigInt(value),
  [types.DATE]: (value: string) => value,
  [types.NUMERIC]: (value: string) => value,
};

/** The embedded PostgreSQL (PGlite) as a `SqlDatabase`. It has one connection; callers queue. */
export function embeddedSql(pglite: PGlite): SqlDatabase {
  return {
    query: (statement, values) => run(pglite, statement, values),
    transaction: async (work) =>
      pglite.transaction((tx) => work({ query: (statement, values) => run(tx, statement, values) })),
    script: async (text) => {
      await pglite.exec(text);
    },
  };
}

async function run<Row>(
  connection: PGlite | Transaction,
  statement: Statement,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const result: Results<Row> = await connection.query<Row>(statement.text, [...values], { parsers: PARSERS });
  return result.rows;
}

/** Prisma over the same PGlite: its queries queue with the others. */
export function embeddedPrisma(pglite: PGlite): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPGlite(pglite) });
}

export type { Sql };
