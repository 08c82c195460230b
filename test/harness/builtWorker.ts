import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** Before the tests of the fast relay: the code of its workers is compiled, which each proxy would otherwise do anew. */
export async function setup(): Promise<void> {
  const script = path.join(import.meta.dirname, '../../scripts/build.mjs');
  await promisify(execFile)(process.execPath, [script]);
}
