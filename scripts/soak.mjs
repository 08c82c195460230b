// npm run soak -- --minutes N [--seed S]: the randomised tests at full counts, again and again with
// new seeds until the time is over. A test takes part by reading one of these variables, and CI's
// smaller count is its default; the seeds make a round repeatable.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { root } from './fingerprint.mjs';

const COUNTS = {
  SIMULATION_STEPS: '100000',
  SOCKS_FUZZ: '1000000',
  GRAPHQL_FUZZ: '100000',
  REST_FUZZ: '100000',
  CRASH_KILLS: '100',
  POSTGRES_KILLS: '20',
  CONNECTIONS: '9500',
  RANDOM_CONNECTIONS: '1000',
  STALLED_READERS: '200',
};
const SEEDS = ['FUZZ_SEED', 'RANDOM_CONNECTIONS_SEED', 'REST_FUZZ_SEED', 'SIMULATION_SEED', 'SOCKS_FUZZ_SEED'];
const MAX_SEED = 2 ** 31;
const TEST_TIMEOUT_MS = 2 * 60 * 60_000;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('usage: npm run soak -- --minutes N [--seed S]');
  process.exit(2);
}
const files = soakedFiles();
if (files.length === 0) throw new Error('no test reads one of the counts');
console.log(`soak: ${minutes} minutes of ${files.join(', ')}`);

const startedAt = Date.now();
let rounds = 0;
let failures = 0;
do {
  const seed = rounds === 0 && values.seed !== undefined ? values.seed : String(randomInt(1, MAX_SEED));
  const code = await round(seed);
  rounds += 1;
  if (code !== 0) failures += 1;
  const passed = Math.round((Date.now() - startedAt) / 1000);
  console.log(`round ${rounds}: seed ${seed}: ${code === 0 ? 'passed' : 'FAILED'} (${passed} s since the start)`);
} while (Date.now() - startedAt < minutes * 60_000);
console.log(`soak: ${rounds} rounds, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;

function soakedFiles() {
  const names = Object.keys(COUNTS);
  return readdirSync(path.join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', name))
    .filter((file) =>
      names.some((name) => new RegExp(`\\b${name}\\b`).test(readFileSync(path.join(root, file), 'utf8'))),
    );
}

async function round(seed) {
  const limits = [`--testTimeout=${TEST_TIMEOUT_MS}`, `--hookTimeout=${TEST_TIMEOUT_MS}`];
  const child = spawn(path.join(root, 'node_modules/.bin/vitest'), ['run', ...limits, ...files], {
    cwd: root,
    env: { ...process.env, ...COUNTS, ...Object.fromEntries(SEEDS.map((name) => [name, seed])) },
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code ?? 1)));
}
