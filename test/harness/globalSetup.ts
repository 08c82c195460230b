import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** Before any test: the Prisma client, which a fresh clone does not have, is generated. */
export async function setup(): Promise<void> {
  const script = path.join(import.meta.dirname, '../../scripts/generate.mjs');
  await promisify(execFile)(process.execPath, [script, 'client']);
}
