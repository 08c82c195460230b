import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '..');

/** One import, export-from, dynamic import or worker URL of a source file. */
export interface Import {
  /** File that imports, relative to the project. */
  readonly from: string;
  /** A file relative to the project, or the name of a package (`pg`, `@pothos/core`, `node:net`). */
  readonly to: string;
  readonly isPackage: boolean;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
}

const STATIC = /^(import|export)\s+(type\s+)?([^'"`;]*?)\bfrom\s*'([^']+)'/gm;
const BARE = /^import\s*'([^']+)'/gm;
const DYNAMIC = /\b(?:import|require)\(\s*'([^']+)'\s*\)|\bnew URL\(\s*'(\.[^']+\.ts)'/g;

/** TypeScript files of the server: src/ and rest-compat/. */
export function sourceFiles(): string[] {
  return ['src', 'rest-compat']
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
    )
    .filter((file) => file.endsWith('.ts'))
    .toSorted();
}

/** Everything a file imports. */
export function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const isPackage = !specifier.startsWith('.');
    found.push({ from: file, to: isPackage ? packageName(specifier) : resolve(file, specifier), isPackage, typeOnly });
  };
  for (const [, , type, names = '', specifier = ''] of text.matchAll(STATIC)) {
    add(specifier, type !== undefined || namesOnlyTypes(names));
  }
  for (const [, specifier = ''] of text.matchAll(BARE)) add(specifier, false);
  for (const [, specifier, worker] of text.matchAll(DYNAMIC)) add(specifier ?? worker ?? '', false);
  return found;
}

function namesOnlyTypes(clause: string): boolean {
  const braces = /^\{([^}]*)\}\s*$/.exec(clause);
  const names = braces?.[1]?.split(',').map((name) => name.trim()) ?? [''];
  return names.every((name, index) => name.startsWith('type ') || (name === '' && index > 0));
}

function resolve(file: string, specifier: string): string {
  return path.join(path.dirname(file), specifier);
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}
