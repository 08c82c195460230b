// npm run check: everything that can be judged without running the server; exactly what CI runs.
// All steps run, so that one run names every fault.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { root } from './fingerprint.mjs';
import { ensureClient, generateApi, LOCK } from './generate.mjs';
import { withLock } from './lock.mjs';
import { runTool } from './run.mjs';

const STEPS = [
  ['format', () => runTool('prettier', ['--check', '--log-level', 'warn', '.'])],
  ['lint', () => runTool('oxlint', ['--type-aware', '--deny-warnings', '--report-unused-disable-directives'])],
  ['types', () => runTool('tsc', ['--noEmit'])],
  ['import boundaries', () => runTool('tsx', ['scripts/boundaries.ts'])],
  ['migrations match schema.prisma', () => runTool(process.execPath, ['scripts/migrations.mjs', 'check'])],
  ['generated files are current', generatedFilesAreCurrent],
];

/** Generates, compares, and puts back what was there: a check changes nothing. */
async function generatedFilesAreCurrent() {
  const before = generatedFiles();
  await generateApi();
  const after = generatedFiles();
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (file) => before.get(file) !== after.get(file),
  );
  for (const file of changed) if (before.has(file)) writeFileSync(path.join(root, file), before.get(file));
  if (changed.length > 0) throw new Error(`run \`npm run generate\` and commit ${changed.join(', ')}`);
}

function generatedFiles() {
  const operations = readdirSync(path.join(root, 'rest-compat'), { recursive: true })
    .filter((name) => name.endsWith('.generated.ts'))
    .map((name) => path.join('rest-compat', name));
  const files = ['schema.graphql', ...operations].filter((file) => existsSync(path.join(root, file)));
  return new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
}

await withLock(LOCK, ensureClient);
let failed = 0;
for (const [name, step] of STEPS) {
  try {
    await step();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.error(error.message);
    console.log(`FAILED  ${name}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
