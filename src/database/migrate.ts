import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { sql, type Sql, type SqlDatabase } from './sql.ts';

/** Every instance takes this advisory lock to migrate, so several may boot at once. */
const MIGRATION_LOCK = 7_243_811_905n;

const CREATE_TABLE = sql(
  'migrationsTable',
  `create table if not exists _prisma_migrations (
     id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz,
     migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
     started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`,
);
const LOCK = sql('migrationsLock', 'select pg_advisory_xact_lock($1)');
const APPLIED = sql(
  'migrationsApplied',
  `select migration_name as name, checksum from _prisma_migrations
   where finished_at is not null and rolled_back_at is null`,
);
const RECORD = sql(
  'migrationsRecord',
  `insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
   values ($1, $2, $3, now(), 1)`,
);

/** A migration on disk. `checksum` is the SHA-256 of the file, as `prisma migrate deploy` keeps it. */
export interface Migration {
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

/** Reads `<folder>/<name>/migration.sql`, in order of name. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.toSorted().map(async (name) => {
      const text = await readFile(path.join(folder, name, 'migration.sql'), 'utf8');
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/**
 * Applies what is missing, all in one transaction under an advisory lock, in the format of
 * `prisma migrate deploy`, so that either tool can go on from the other.
 * @returns the names applied now
 * @throws when a migration that was applied has changed since, or the database knows a newer one
 */
export async function migrate(db: SqlDatabase, migrations: readonly Migration[]): Promise<string[]> {
  return db.transaction(async (tx) => {
    await tx.query(LOCK, [MIGRATION_LOCK]);
    await tx.query(CREATE_TABLE);
    const applied = await tx.query<{ name: string; checksum: string }>(APPLIED);
    const missing = pending(migrations, new Map(applied.map((row) => [row.name, row.checksum])));
    for (const migration of missing) await apply(tx, migration);
    return missing.map((migration) => migration.name);
  });
}

function pending(migrations: readonly Migration[], applied: Map<string, string>): Migration[] {
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...applied.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) throw new Error(`the database is newer than this server: it has ${unknown.join(', ')}`);
  const changed = migrations.filter(({ name, checksum }) => (applied.get(name) ?? checksum) !== checksum);
  if (changed.length > 0) {
    throw new Error(`migration changed after it was applied: ${changed.map(({ name }) => name).join(', ')}`);
  }
  return migrations.filter((migration) => !applied.has(migration.name));
}

/** A file holds several statements; parameters are not needed, so each is sent by itself. */
async function apply(tx: Sql, migration: Migration): Promise<void> {
  const statements = splitStatements(migration.text);
  for (const text of statements) await tx.query({ name: '', text });
  await tx.query(RECORD, [randomUUID(), migration.checksum, migration.name]);
}

/** Splits a script at semicolons outside strings, comments and dollar-quoted bodies. */
export function splitStatements(script: string): string[] {
  const token = /\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\/|;|[^;$'"/-]+|[\s\S]/g;
  const statements: string[] = [];
  let current = '';
  for (const [part] of script.matchAll(token)) {
    if (part !== ';') {
      if (!part.startsWith('--') && !part.startsWith('/*')) current += part;
      continue;
    }
    statements.push(current.trim());
    current = '';
  }
  statements.push(current.trim());
  return statements.filter((text) => text !== '');
}
