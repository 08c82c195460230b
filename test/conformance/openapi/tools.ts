import { execFile, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.join(import.meta.dirname, '../../..');
const TIMEOUT_MS = 60_000;

/** What a command of node_modules printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Exit code of a tool that tried to leave this machine. */
export const LEFT_THE_MACHINE = 97;

/** Nothing of ours but the path, no telemetry, no look for updates, and nothing that leaves this machine. */
const ENV = {
  PATH: process.env['PATH'],
  HOME: tmpdir(),
  NODE_OPTIONS: `--import=${pathToFileURL(path.join(import.meta.dirname, 'offline.mjs')).href}`,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  NO_COLOR: '1',
};

/** Runs a script with Node, in the root of the repository. */
export function runTool(script: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { cwd: ROOT, env: ENV, timeout: TIMEOUT_MS, maxBuffer: 1 << 26 };
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

/** Path of a file of an installed package. */
export const installed = (file: string): string => path.join(ROOT, 'node_modules', file);

/** Prism between us and a server: what does not fit the document is answered by Prism itself, with its reasons. */
export interface Prism extends AsyncDisposable {
  readonly base: string;
}

/** Starts Prism on a free port. @throws with what it printed when it does not listen */
export async function startPrism(document: string, upstream: string): Promise<Prism> {
  const script = installed('@stoplight/prism-cli/dist/index.js');
  const args = ['proxy', document, upstream, '--errors', '--host', '127.0.0.1', '--port', '0'];
  const child = spawn(process.execPath, [script, ...args], { cwd: ROOT, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const timer = setTimeout(endWithUs, TIMEOUT_MS);
  let printed = '';
  const base = await new Promise<string>((resolve, reject) => {
    const read = (text: string): void => {
      printed = (printed + text).slice(-10_000);
      const [, url] = /Prism is listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(printed) ?? [];
      if (url !== undefined) resolve(url);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    void ended.then(() => reject(new Error(`Prism ended before it listened:\n${printed}`)));
  });
  clearTimeout(timer);
  return {
    base,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      process.off('exit', endWithUs);
    },
  };
}
