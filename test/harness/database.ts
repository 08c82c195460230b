import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';

import { embeddedPrisma, embeddedSql } from '../../src/database/embedded.ts';
import { migrate, readMigrations, type Migration } from '../../src/database/migrate.ts';
import { openDatabase, type Database } from '../../src/database/open.ts';

/** A fresh, migrated database that is gone after `await using`. */
export type TestDatabase = Database &
  AsyncDisposable & {
    /** Where a second server would find it; undefined when it is embedded. */
    readonly url: string | undefined;
  };

const MIGRATIONS = path.join(import.meta.dirname, '../../prisma/migrations');
/** Serialises the making of a template between test files. */
const TEMPLATE_LOCK = 7_243_811_906;
const TEMPLATE_PREFIX = 'passerelle_template_';

/**
 * Opens a database of its own for a test: embedded and in memory, or, when DATABASE_URL is set, on
 * that server. Both are copies of a template that is migrated once per set of migrations.
 * @param server where it must be, for tests that need several connections
 */
export async function openTestDatabase(server = process.env['DATABASE_URL']): Promise<TestDatabase> {
  const migrations = await readMigrations(MIGRATIONS);
  return server === undefined ? openEmbedded(migrations) : openOnServer(server, migrations);
}

function fingerprint(migrations: readonly Migration[]): string {
  const hash = createHash('sha256');
  for (const { name, checksum } of migrations) hash.update(`${name} ${checksum}\n`);
  return hash.digest('hex').slice(0, 16);
}

async function openEmbedded(migrations: readonly Migration[]): Promise<TestDatabase> {
  const pglite = await PGlite.create({ loadDataDir: await embeddedTemplate(migrations) });
  const prisma = embeddedPrisma(pglite);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= prisma.$disconnect().then(() => pglite.close()));
  return { ...embeddedSql(pglite), kind: 'embedded', prisma, url: undefined, close, [Symbol.asyncDispose]: close };
}

/** The archive is written under a private name and renamed: whoever else makes it loses nothing. */
async function embeddedTemplate(migrations: readonly Migration[]): Promise<Blob> {
  const file = path.join(tmpdir(), `passerelle-test-${fingerprint(migrations)}.tar`);
  const cached = await readFile(file).catch(() => undefined);
  if (cached !== undefined) return new Blob([cached]);
  const pglite = await PGlite.create();
  await migrate(embeddedSql(pglite), migrations);
  const archive = await pglite.dumpDataDir('none');
  await pglite.close();
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, Buffer.from(await archive.arrayBuffer()));
  await rename(own, file);
  return archive;
}

async function openOnServer(server: string, migrations: readonly Migration[]): Promise<TestDatabase> {
  const template = `${TEMPLATE_PREFIX}${fingerprint(migrations)}`;
  const name = `passerelle_test_${randomUUID().replaceAll('-', '')}`;
  await onServer(server, async (client) => {
    await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    await makeTemplate(server, client, template);
    await client.query(`create database ${name} template ${template}`);
  });
  const url = databaseUrl(server, name);
  const database = await openDatabase({ url, dataDir: '', migrations: MIGRATIONS, onError: () => undefined });
  let closed: Promise<void> | undefined;
  const drop = async (): Promise<void> => {
    await database.close();
    await onServer(server, async (client) => void (await client.query(`drop database ${name} with (force)`)));
  };
  const close = (): Promise<void> => (closed ??= drop());
  return { ...database, url, close, [Symbol.asyncDispose]: close };
}

async function makeTemplate(server: string, client: pg.Client, template: string): Promise<void> {
  const known = await client.query('select 1 from pg_database where datname = $1', [template]);
  if (known.rowCount !== 0) return;
  const draft = `${template}_draft`;
  await client.query(`drop database if exists ${draft} with (force)`);
  await client.query(`create database ${draft} template template0`);
  const url = databaseUrl(server, draft);
  const database = await openDatabase({ url, dataDir: '', migrations: MIGRATIONS, onError: () => undefined });
  await database.close();
  await client.query(`alter database ${draft} rename to ${template}`);
}

async function onServer(server: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The same server, another database. Also for `postgres://user@/name?host=/socket/folder`. */
function databaseUrl(server: string, name: string): string {
  return server.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, `$1${name}`);
}
