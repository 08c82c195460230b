import { spawn } from 'node:child_process';
import { buffer, text } from 'node:stream/consumers';

/**
 * Runs a program to its end. @param input what it reads on standard input
 * @returns what it wrote to standard output
 * @throws with what it wrote to standard error when it fails
 */
export async function run(
  command: string,
  args: readonly string[],
  input: Uint8Array = Buffer.alloc(0),
  env: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(String(code ?? signal)));
  });
  // A program that gives up does not read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [status, output, complaint] = await Promise.all([ended, buffer(child.stdout), text(child.stderr)]);
  if (status !== '0') throw new Error(`${command} ended with ${status}: ${complaint}`);
  return output;
}
