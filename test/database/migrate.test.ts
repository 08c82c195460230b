import { PGlite } from '@electric-sql/pglite';
import { describe, expect, test } from 'vitest';

import { embeddedSql } from '../../src/database/embedded.ts';
import { migrate, readMigrations, splitStatements, type Migration } from '../../src/database/migrate.ts';
import { sql } from '../../src/database/sql.ts';

const first: Migration = { name: '1_first', text: 'create table a (x int); insert into a values (1);', checksum: 'aa' };
const second: Migration = { name: '2_second', text: 'insert into a values (2);', checksum: 'bb' };

describe('migrations', () => {
  test('each is applied once, in order, also when several servers boot at once', async () => {
    await using pglite = await PGlite.create();
    const db = embeddedSql(pglite);
    const applied = await Promise.all([migrate(db, [first, second]), migrate(db, [first, second])]);
    expect(applied.flat().toSorted()).toEqual(['1_first', '2_second']);
    expect(await db.query(sql('', 'select x from a order by x'))).toEqual([{ x: 1 }, { x: 2 }]);
    expect(await migrate(db, [first, second])).toEqual([]);
  });

  test('a failing migration leaves nothing behind', async () => {
    await using pglite = await PGlite.create();
    const db = embeddedSql(pglite);
    const broken = { name: '3_broken', text: 'create table b (y int); select nonsense;', checksum: 'cc' };
    await expect(migrate(db, [first, broken])).rejects.toThrow(/nonsense/);
    expect(await db.query(sql('', "select to_regclass('a') as a, to_regclass('b') as b"))).toEqual([
      { a: null, b: null },
    ]);
  });

  test('a changed or unknown migration stops the start', async () => {
    await using pglite = await PGlite.create();
    const db = embeddedSql(pglite);
    await migrate(db, [first, second]);
    await expect(migrate(db, [{ ...first, checksum: 'zz' }, second])).rejects.toThrow(
      'changed after it was applied: 1_first',
    );
    await expect(migrate(db, [first])).rejects.toThrow('the database is newer than this server: it has 2_second');
  });

  test('the files on disk carry the SHA-256 that Prisma would record', async () => {
    const migrations = await readMigrations('prisma/migrations');
    expect(migrations.map(({ name }) => name)).toContain('20261121000000_tables');
    for (const { checksum } of migrations) expect(checksum).toMatch(/^[0-9a-f]{64}$/);
  });
});

test('statements are split outside strings, comments and dollar quotes', () => {
  const body = "create function f() returns text language sql as $x$ select ';' || $$;$$; -- no ;\n $x$";
  const script = `-- a; comment\nselect ';'';' as "odd;name"; /* ; */ ${body};\n\n;select 2`;
  expect(splitStatements(script)).toEqual([`select ';'';' as "odd;name"`, body, 'select 2']);
});
