import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

import { PGlite } from '@electric-sql/pglite';

import type { PrismaClient } from '../../prisma/generated/client/client.ts';
import { embeddedPrisma, embeddedSql } from './embedded.ts';
import { lockDataDirectory } from './lock.ts';
import { migrate, readMigrations } from './migrate.ts';
import { openPool, serverPrisma, serverSql } from './server.ts';
import type { SqlDatabase } from './sql.ts';

/** An open, migrated database. */
export interface Database extends SqlDatabase {
  /** `embedded`: this process is the only one on it. */
  readonly kind: 'embedded' | 'server';
  readonly prisma: PrismaClient;
  close(): Promise<void>;
}

/** Where the database is. `migrations`: the folder of migrations. */
export interface DatabaseLocation {
  readonly url: string | undefined;
  readonly dataDir: string;
  readonly migrations: string;
  /** Folder of an empty database that is initialised and closed: makes the first embedded start faster. */
  readonly template?: string;
  readonly onError: (error: Error) => void;
}

/**
 * Opens the database and applies missing migrations.
 * @throws DataDirectoryInUse when another server has the data folder
 */
export async function openDatabase(location: DatabaseLocation): Promise<Database> {
  const migrations = await readMigrations(location.migrations);
  const database =
    location.url === undefined ? await openEmbedded(location) : openServer(location.url, location.onError);
  try {
    await migrate(database, migrations);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function openEmbedded({ dataDir, template }: DatabaseLocation): Promise<Database> {
  const unlock = await lockDataDirectory(dataDir);
  try {
    const folder = path.join(dataDir, 'database');
    await initialise(folder, template);
    const pglite = await PGlite.create(folder);
    const prisma = embeddedPrisma(pglite);
    const close = async (): Promise<void> => {
      await prisma.$disconnect();
      await pglite.close();
      await unlock();
    };
    return { ...embeddedSql(pglite), kind: 'embedded', prisma, close };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/**
 * Makes an empty database where there is none: under another name first, so that a start which is killed leaves
 * nothing half made. Nothing else runs yet, and copying a thousand files without waiting takes half as long.
 */
async function initialise(folder: string, template: string | undefined): Promise<void> {
  if (existsSync(folder)) return;
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  if (template !== undefined && existsSync(template)) cpSync(template, draft, { recursive: true });
  else await (await PGlite.create(draft)).close();
  renameSync(draft, folder);
}

function openServer(url: string, onError: (error: Error) => void): Database {
  const pool = openPool(url, onError);
  const prisma = serverPrisma(url);
  const close = async (): Promise<void> => {
    await prisma.$disconnect();
    await pool.end();
  };
  return { ...serverSql(pool), kind: 'server', prisma, close };
}
