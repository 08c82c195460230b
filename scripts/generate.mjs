// Writes what is generated: the Prisma client, schema.graphql, and the typed operations of rest-compat.
//   node scripts/generate.mjs            everything
//   node scripts/generate.mjs client     only the Prisma client, and only when it is out of date
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { fingerprint, isCurrent, root } from './fingerprint.mjs';
import { withLock } from './lock.mjs';
import { runTool } from './run.mjs';

const SOURCES = ['prisma/schema.prisma', 'prisma.config.ts', 'package-lock.json', 'scripts/generate.mjs'];
const STAMP = 'prisma/generated/.stamp';

/** Generates the Prisma client unless it is current. The caller holds the build lock. */
export async function ensureClient() {
  const wanted = fingerprint(SOURCES);
  if (isCurrent(STAMP, wanted)) return;
  await runTool('prisma', ['generate']);
  writeFileSync(path.join(root, STAMP), wanted);
}

/** Prints the schema and generates the types of the REST operations from it. */
export async function generateApi() {
  await runTool('tsx', ['scripts/print-schema.ts']);
  await runTool('graphql-codegen', ['--config', 'codegen.ts']);
}

export const LOCK = path.join(root, '.build-lock');

if (process.argv[1] === import.meta.filename) {
  await withLock(LOCK, ensureClient);
  if (process.argv[2] !== 'client') await generateApi();
}
