import { defineConfig } from 'prisma/config';

// The CLI insists on a schema-engine binary that it downloads; these commands never run it,
// so any existing file will do. `migrate` keeps the real one for people who are online.
if (['generate', 'validate', 'format'].includes(process.argv[2] ?? '')) {
  process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;
}

export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
