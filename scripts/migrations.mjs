// Migrations without Prisma's engine download: the same engine as WebAssembly, on a throw-away PGlite.
//   node scripts/migrations.mjs check          exit 1 when prisma/migrations lags behind schema.prisma
//   node scripts/migrations.mjs create NAME    writes what is missing as a new migration
import { createRequire } from 'node:module';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { PGlite } from '@electric-sql/pglite';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';

const require = createRequire(import.meta.url);
const root = path.join(import.meta.dirname, '..');
const schemaFile = path.join(root, 'prisma/schema.prisma');
const migrationsFolder = path.join(root, 'prisma/migrations');

async function openEngine() {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = readFileSync(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg').replace(/js$/, 'wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPGlite(new PGlite()));
  const options = { datamodels: [['schema.prisma', readFileSync(schemaFile, 'utf8')]] };
  return bindings.SchemaEngine.new(options, () => {}, adapter);
}

function migrationDirectories() {
  return readdirSync(migrationsFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(path.join(migrationsFolder, name, 'migration.sql'), 'utf8') },
      },
    }));
}

async function diff() {
  const engine = await openEngine();
  const schema = { path: 'schema.prisma', content: readFileSync(schemaFile, 'utf8') };
  const result = await engine.diff({
    from: {
      tag: 'migrations',
      baseDir: 'prisma/migrations',
      shadowDbInitScript: '',
      lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
      shadowDatabaseUrl: '',
      migrationDirectories: migrationDirectories(),
    },
    to: { tag: 'schemaDatamodel', files: [schema], configDir: 'prisma' },
    script: true,
    exitCode: true,
    shadowDatabaseUrl: null,
    filters: { externalTables: [], externalEnums: [] },
  });
  return { drift: result.exitCode === 2, script: result.stdout ?? '' };
}

const [command, name] = process.argv.slice(2);
const { drift, script } = await diff();
if (command === 'check') {
  if (drift) console.error(`prisma/migrations lags behind schema.prisma:\n${script}`);
  process.exit(drift ? 1 : 0);
}
if (command === 'create' && name !== undefined && drift) {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = path.join(migrationsFolder, `${stamp}_${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'migration.sql'), script);
  console.log(`wrote ${path.relative(root, folder)}/migration.sql`);
}
process.exit(0);
