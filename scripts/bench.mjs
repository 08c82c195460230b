// npm run bench [-- AREA… [--OPTION VALUE…]]: runs test/bench/AREA.ts one after the other, all of them
// by default; what follows the areas goes to each of them (`-- relay --rounds 5 --seconds 2`).
// Every file prints its figures with sample and spread; support code lies in folders below.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import path from 'node:path';

import { ensureBuilt } from './build.mjs';
import { root } from './fingerprint.mjs';

const folder = path.join(root, 'test/bench');
const areas = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length))
  .sort();
const given = process.argv.slice(2);
const firstOption = given.findIndex((argument) => argument.startsWith('--'));
const wanted = firstOption < 0 ? given : given.slice(0, firstOption);
const options = given.slice(wanted.length).filter((argument) => argument !== '--');
const unknown = wanted.filter((area) => !areas.includes(area));
if (unknown.length > 0 || areas.length === 0) {
  console.error(`no such bench: ${unknown.join(', ')}; there are ${areas.join(', ')}`);
  process.exit(2);
}

await ensureBuilt();
const [processor] = cpus();
const memory = (totalmem() / 2 ** 30).toFixed(0);
console.log(`machine: ${cpus().length} × ${processor?.model.trim()}, ${memory} GiB, ${arch()}, Linux ${release()}`);
console.log(`node ${process.version}\n`);
let failed = 0;
for (const area of wanted.length > 0 ? wanted : areas) {
  console.log(`== ${area}`);
  const startedAt = performance.now();
  const tsx = path.join(root, 'node_modules/.bin/tsx');
  const { status } = spawnSync(tsx, [path.join(folder, `${area}.ts`), ...options], { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed += 1;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.log(`== ${area}: ${status === 0 ? 'done' : `FAILED with ${status}`} in ${seconds} s\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
