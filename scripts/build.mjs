// Compiles into dist/, unless it is current:  node scripts/build.mjs
//
// The output is written to a folder of its own and renamed into place under a lock, so that any
// number of `npm start` from one checkout may begin at once. dist/ mirrors the project: a module
// finds prisma/migrations by the same relative path in both.
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { fingerprint, isCurrent, root } from './fingerprint.mjs';
import { ensureClient, LOCK } from './generate.mjs';
import { withLock } from './lock.mjs';
import { runTool } from './run.mjs';

const SOURCES = [
  'src',
  'rest-compat',
  'prisma/schema.prisma',
  'prisma/migrations',
  'prisma.config.ts',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
];
const STAMP = 'dist/.stamp';
const TEMPLATE = 'prisma/template';
const TEMPLATE_STAMP = 'prisma/template.stamp';
const TEMPLATE_SOURCES = ['prisma/migrations', 'package-lock.json', 'src/database'];

/**
 * Builds when the output is missing or other than its sources. Types are left to `npm run check`
 * unless `checkTypes` is set.
 * @returns whether it had to build
 */
export async function ensureBuilt({ checkTypes = false } = {}) {
  if (isCurrent(STAMP, fingerprint(SOURCES))) return false;
  return withLock(LOCK, async () => {
    const wanted = fingerprint(SOURCES);
    if (isCurrent(STAMP, wanted)) return false;
    removeLeftovers();
    const output = path.join(root, `.build-${process.pid}`);
    try {
      await build(output, checkTypes);
      writeFileSync(path.join(output, '.stamp'), wanted);
      replace(path.join(root, 'dist'), output);
    } finally {
      rmSync(output, { recursive: true, force: true });
    }
    return true;
  });
}

async function build(output, checkTypes) {
  const template = path.join(output, TEMPLATE);
  // Initialising an empty database takes as long as everything else: do both at once.
  const [database] = await Promise.all([emptyDatabase(template), compile(output, checkTypes)]);
  cpSync(path.join(root, 'prisma/migrations'), path.join(output, 'prisma/migrations'), { recursive: true });
  if (database === undefined) cpSync(path.join(root, 'dist', TEMPLATE), template, { recursive: true });
  else await migrateTemplate(database, output);
  writeFileSync(path.join(output, TEMPLATE_STAMP), fingerprint(TEMPLATE_SOURCES));
}

async function compile(output, checkTypes) {
  await ensureClient();
  await runTool('tsc', ['-p', 'tsconfig.build.json', '--outDir', output, ...(checkTypes ? [] : ['--noCheck'])]);
}

/** A new database in a folder, or undefined when the last build's template still serves. */
async function emptyDatabase(folder) {
  if (isCurrent(path.join('dist', TEMPLATE_STAMP), fingerprint(TEMPLATE_SOURCES))) return undefined;
  const { PGlite } = await import('@electric-sql/pglite');
  mkdirSync(folder, { recursive: true });
  return PGlite.create(folder);
}

/** The first start of a data folder copies it. */
async function migrateTemplate(database, output) {
  const load = (file) => import(pathToFileURL(path.join(output, 'src/database', file)));
  const [{ embeddedSql }, { migrate, readMigrations }] = await Promise.all([load('embedded.js'), load('migrate.js')]);
  try {
    await migrate(embeddedSql(database), await readMigrations(path.join(output, 'prisma/migrations')));
  } finally {
    await database.close();
  }
}

/** A folder cannot be renamed over another: the old one steps aside first. */
function replace(target, source) {
  const old = path.join(root, `.build-old-${process.pid}`);
  if (existsSync(target)) renameSync(target, old);
  renameSync(source, target);
  rmSync(old, { recursive: true, force: true });
}

/** What builds that were killed left behind; nobody else builds while we hold the lock. */
function removeLeftovers() {
  const leftovers = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name.startsWith('.build-'),
  );
  for (const { name } of leftovers) rmSync(path.join(root, name), { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename) {
  const built = await ensureBuilt({ checkTypes: process.argv.includes('--check-types') });
  process.stderr.write(built ? 'dist/ is built\n' : 'dist/ is current\n');
}
