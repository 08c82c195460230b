import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '../..');
const COPIED = [
  'package.json',
  'package-lock.json',
  'prisma.config.ts',
  'prisma/schema.prisma',
  'prisma/generated',
  'scripts',
  'src/database',
  'tsconfig.json',
  'tsconfig.build.json',
];
const MAIN = 'src/main.ts';

let checkout: string;

/** A checkout of its own, so that the builds of other tests do not interfere. */
beforeAll(async () => {
  checkout = await mkdtemp(path.join(tmpdir(), 'passerelle-checkout-'));
  for (const name of COPIED) await cp(path.join(root, name), path.join(checkout, name), { recursive: true });
  const migration = path.join(checkout, 'prisma/migrations/1_probe');
  await mkdir(migration, { recursive: true });
  await writeFile(path.join(migration, 'migration.sql'), 'create table probe (id int);\n');
  await symlink(path.join(root, 'node_modules'), path.join(checkout, 'node_modules'));
  await writeFile(path.join(checkout, MAIN), `console.log('first'); export {};\n`);
});

afterAll(() => rm(checkout, { recursive: true, force: true }));

async function start(): Promise<string> {
  return (await run(process.execPath, [path.join(checkout, 'scripts/start.mjs')])).stdout;
}

async function leftovers(): Promise<string[]> {
  return (await readdir(checkout)).filter((name) => name.startsWith('.build'));
}

test('three starts at once build once and all run', async () => {
  expect(await Promise.all([start(), start(), start()])).toEqual(['first\n', 'first\n', 'first\n']);
  expect(await leftovers()).toEqual([]);
});

test('an unchanged checkout is not built again, a changed one is', async () => {
  const stamp = path.join(checkout, 'dist/.stamp');
  const before = await readFile(stamp, 'utf8');
  await utimes(path.join(checkout, MAIN), new Date(), new Date());
  expect(await start()).toBe('first\n');
  expect(await readFile(stamp, 'utf8')).toBe(before);
  await writeFile(path.join(checkout, MAIN), `console.log('second'); export {};\n`);
  expect(await start()).toBe('second\n');
  expect(await readFile(stamp, 'utf8')).not.toBe(before);
});

test('a lock whose holder died, or sleeps forever, is taken over', async () => {
  const lock = path.join(checkout, '.build-lock');
  const dead = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => dead.once('exit', resolve));
  await writeFile(lock, JSON.stringify({ pid: dead.pid, host: hostname() }));
  await writeFile(path.join(checkout, MAIN), `console.log('third'); export {};\n`);
  expect(await start()).toBe('third\n');

  await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
  await utimes(lock, new Date(0), new Date(0));
  await writeFile(path.join(checkout, MAIN), `console.log('fourth'); export {};\n`);
  expect(await Promise.all([start(), start()])).toEqual(['fourth\n', 'fourth\n']);
  expect(await leftovers()).toEqual([]);
});

test('a build that fails says why, leaves the old output and frees the lock', async () => {
  await writeFile(path.join(checkout, MAIN), 'export const broken = ;\n');
  await expect(start()).rejects.toThrow('src/main.ts(1,23)');
  expect(await readFile(path.join(checkout, 'dist/src/main.js'), 'utf8')).toContain('fourth');
  expect(await leftovers()).toEqual([]);
});
