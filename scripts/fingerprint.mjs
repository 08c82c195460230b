import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '..');

/** SHA-256 over the names and contents of files and folders, given relative to the project. */
export function fingerprint(sources) {
  const hash = createHash('sha256');
  for (const file of sources.flatMap(filesBelow)) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(root, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Whether `stamp` (a file relative to the project) holds this fingerprint. */
export function isCurrent(stamp, wanted) {
  const file = path.join(root, stamp);
  return existsSync(file) && readFileSync(file, 'utf8') === wanted;
}

function filesBelow(source) {
  const absolute = path.join(root, source);
  if (!existsSync(absolute)) return [];
  if (statSync(absolute).isFile()) return [source];
  return readdirSync(absolute)
    .sort()
    .flatMap((name) => filesBelow(path.join(source, name)));
}
