import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

import { lpf } from '../rest-compat/dialects/lpf.ts';
import { TRANSPORT_CODES } from '../rest-compat/errors.ts';
import { violations } from '../scripts/boundaries.ts';
import { importsOf, root, sourceFiles } from '../scripts/imports.ts';
import { CATALOGUE, type AnyCode } from '../src/errors.ts';
import { REQUEST_FAULTS } from '../src/graphql/mask.ts';

/** Where execution starts. */
const ENTRY_POINTS = ['src/main.ts'];
/** Built and tested ahead of the feature that will call it; leaves this list when it does. */
const AHEAD = { files: [] as string[], codes: [] as string[] };
const FORBIDDEN_FOLDERS = /\/(?:utils?|helpers?|common|lib|libs|services)(?:\/|\.ts$)/;
const MACHINE_PATHS = /(?:^|[\s'"`=(])\/(?:home\/\w|Users\/\w|root\/|work\/|tmp\/\w)/m;
const EXACT_VERSION = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, '');

/** What git tracks; nothing when this is no clone. */
function trackedFiles(): string[] {
  if (!existsSync(path.join(root, '.git'))) return [];
  const output = execFileSync('git', ['ls-files', '-z'], { cwd: root });
  return output
    .toString('utf8')
    .split('\0')
    .filter((file) => file !== '' && existsSync(path.join(root, file)));
}

test('imports keep to the table of scripts/boundaries.ts', () => {
  expect(violations()).toEqual([]);
});

test('every source file is reached from an entry point', () => {
  const reached = new Set(ENTRY_POINTS);
  for (const file of reached) {
    if (!file.startsWith('prisma/')) for (const { to, isPackage } of importsOf(file)) if (!isPackage) reached.add(to);
  }
  expect(sourceFiles().filter((file) => !reached.has(file))).toEqual(AHEAD.files);
});

test('dialect files hold data only', () => {
  const files = sourceFiles().filter((file) => file.startsWith('rest-compat/dialects/'));
  expect(files).not.toEqual([]);
  const code = /\b(?:async|await|if|for|while|switch|function|try|throw|new)\b|=>\s*\{/;
  for (const file of files) {
    const withoutText = withoutComments(read(file)).replace(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g, '');
    expect(code.exec(withoutText)?.[0], `${file} holds code`).toBeUndefined();
    const imports = importsOf(file).filter(({ to, typeOnly }) => to.startsWith('src/') && !typeOnly);
    expect(imports, `${file} imports more than types from src/`).toEqual([]);
  }
});

test('every error code is documented and used', () => {
  const page = read('docs/errors.md');
  const codes = Object.keys(CATALOGUE) as AnyCode[];
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  const all = new Set<string>([...codes, ...REQUEST_FAULTS, ...TRANSPORT_CODES]);
  expect(new Set(documented)).toEqual(all);
  expect(documented).toHaveLength(all.size);
  for (const code of TRANSPORT_CODES) expect(page).toContain(`| \`${code}\` | ${lpf.errors.texts[code].status} |`);
  for (const code of codes) {
    const facts = CATALOGUE[code];
    if ('status' in facts) expect(page).toContain(`| \`${code}\` | ${facts.status} |`);
  }
  const sources = sourceFiles().filter((file) => file !== 'src/errors.ts');
  const text = [...sources.map(read), ...migrations()].join('\n');
  const built = /`LIMIT_\$\{/.test(text) ? ['LIMIT_DAY', 'LIMIT_WEEK', 'LIMIT_MONTH'] : [];
  for (const code of REQUEST_FAULTS) expect(text.split(`'${code}'`).length, `${code} is answered`).toBeGreaterThan(2);
  expect(codes.filter((code) => !built.includes(code) && !new RegExp(`\\b${code}\\b`).test(text))).toEqual(AHEAD.codes);
});

function migrations(): string[] {
  const folders = readdirSync(path.join(root, 'prisma/migrations'), { withFileTypes: true });
  return folders
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => read(`prisma/migrations/${name}/migration.sql`));
}

test('a statement name stands for one text', () => {
  const names = sourceFiles().flatMap((file) =>
    [...withoutComments(read(file)).matchAll(/\bsql\(\s*'([^']*)'/g)].map(([, name]) => ({ name, file })),
  );
  expect(names).not.toEqual([]);
  const repeated = names.filter(({ name }, index) => names.findIndex((other) => other.name === name) !== index);
  expect(repeated).toEqual([]);
});

test('no folder or file is named after nothing in particular', () => {
  expect(
    trackedFiles().filter((file) => FORBIDDEN_FOLDERS.test(`/${file}`) && !file.startsWith('test/harness/')),
  ).toEqual([]);
});

test('no file names a path of somebody’s machine', () => {
  const binary = /\.(?:tar|png|ico|wasm)$/;
  const files = trackedFiles().filter((file) => !binary.test(file) && file !== 'test/tidy.test.ts');
  expect(files.filter((file) => MACHINE_PATHS.test(read(file)))).toEqual([]);
});

test('every dependency is pinned to one version', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'];
  const pins = groups.flatMap((group) => Object.entries(manifest[group] ?? {}));
  expect(pins).not.toEqual([]);
  expect(pins.filter(([, version]) => !EXACT_VERSION.test(version))).toEqual([]);
});
