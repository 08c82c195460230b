import pg from 'pg';
import { describe, expect, test } from 'vitest';

import {
  hasOwnPostgres,
  hasPostgres,
  hasRedis,
  ownPostgres,
  postgres,
  redis,
  type PostgresServer,
} from './services.ts';

async function ask(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('services for tests', () => {
  test.skipIf(!hasPostgres())('PostgreSQL gives each caller an empty database', async () => {
    const server: PostgresServer | undefined = await postgres();
    try {
      const [one, two] = await Promise.all([server?.createDatabase(), server?.createDatabase()]);
      expect(one).not.toBe(two);
      const count = `select count(*)::int as tables from pg_tables where schemaname = 'public'`;
      expect(await ask(one ?? '', count)).toEqual([{ tables: 0 }]);
    } finally {
      await server?.[Symbol.asyncDispose]();
    }
  });

  test.skipIf(!hasOwnPostgres())('an own PostgreSQL keeps what was committed when it is killed', async () => {
    await using server = await ownPostgres();
    if (server === undefined) throw new Error('no PostgreSQL');
    await ask(server.url, 'create table kept as select 7 as value');
    await server.kill();
    await expect(ask(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(await ask(server.url, 'select value from kept')).toEqual([{ value: 7 }]);
  });

  test.skipIf(!hasRedis())('Redis answers', async () => {
    await using server = await redis();
    expect(server?.url).toMatch(/^rediss?:\/\//);
  });
});
