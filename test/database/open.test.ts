import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openDatabase } from '../../src/database/open.ts';
import { sql } from '../../src/database/sql.ts';
import { build } from '../harness/server.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const MIGRATIONS = path.join(ROOT, 'prisma/migrations');
const TEMPLATE = path.join(ROOT, 'dist/prisma/template');

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'passerelle-data-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function accounts(template: string | undefined): Promise<unknown> {
  const onError = (error: Error): never => {
    throw error;
  };
  const options = template === undefined ? {} : { template };
  const database = await openDatabase({ url: undefined, dataDir, migrations: MIGRATIONS, onError, ...options });
  try {
    return await database.query(sql('testCountAccounts', 'select count(*)::int as count from account'));
  } finally {
    await database.close();
  }
}

test.each([
  ['copied', TEMPLATE],
  ['made', undefined],
])('a first start that was killed while the database was %s is taken up again', async (_how, template) => {
  await build();
  const draft = path.join(dataDir, 'database.new');
  await mkdir(draft);
  await writeFile(path.join(draft, 'PG_VERSION'), '1');
  expect(await accounts(template)).toEqual([{ count: 0 }]);
  expect(existsSync(draft)).toBe(false);
});

test('what is there stays', async () => {
  await build();
  expect(await accounts(TEMPLATE)).toEqual([{ count: 0 }]);
  const before = readdirSync(path.join(dataDir, 'database')).toSorted();
  await mkdir(path.join(dataDir, 'no-template'));
  expect(await accounts(path.join(dataDir, 'no-template'))).toEqual([{ count: 0 }]);
  expect(readdirSync(path.join(dataDir, 'database')).toSorted()).toEqual(before);
});
