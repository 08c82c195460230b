import { spawn } from 'node:child_process';
import path from 'node:path';

import { root } from './fingerprint.mjs';

/**
 * Runs a program of node_modules/.bin, or one given by its whole path. Standard output stays free for the server's ready line:
 * what the program says is shown, on standard error, only when it fails.
 */
export async function runTool(name, args) {
  const binaries = path.join(root, 'node_modules/.bin');
  // Prisma starts its generators by name.
  const env = { ...process.env, PATH: `${binaries}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(path.resolve(binaries, name), args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code === 0) return;
  process.stderr.write(said);
  throw new Error(`${name} ${args.join(' ')} failed with exit code ${code}`);
}
