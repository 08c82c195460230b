import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { PrismaClient } from '../../prisma/generated/client/client.ts';
import { embeddedPrisma, embeddedSql, openPglite } from './embedded.ts';
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
  /** Archive of an empty, initialised cluster: makes the first embedded start faster. */
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
    const pglite = await openPglite(folder, await firstStartTemplate(folder, template));
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

async function firstStartTemplate(folder: string, template: string | undefined): Promise<Blob | undefined> {
  const started = await readFile(path.join(folder, 'PG_VERSION')).catch(() => undefined);
  if (started !== undefined || template === undefined) return undefined;
  const archive = await readFile(template).catch(() => undefined);
  return archive === undefined ? undefined : new Blob([archive]);
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
