import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startOrigin, type Origin } from './harness/origin.ts';
import { ADMIN, startServer, type TestServer } from './harness/server.ts';

// The ```sh blocks of these pages are run in order, in an empty folder, against a server of this
// test; variables they set last. The line before a block may say otherwise:
//   <!-- run: start -->            starts the server: here, it stands for the one that runs already
//   <!-- run: until TEXT -->       never ends; it is ended once it has printed TEXT
//   <!-- not run: REASON -->       only its syntax is checked
const PAGES = ['README.md', 'ARCHITECTURE.md'];
const BLOCK = /(?:^<!-- (not run: .+?|run: .+?) -->\n+)?^```sh\n([\s\S]*?)^```$/gm;
const BLOCK_TIMEOUT_MS = 20_000;

const root = path.join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const run = promisify(execFile);

interface Block {
  readonly page: string;
  readonly line: number;
  readonly mode: string;
  readonly commands: string;
}

const blocks = PAGES.filter((page) => existsSync(path.join(root, page))).flatMap((page) => {
  const text = read(page);
  return [...text.matchAll(BLOCK)].map(({ index, 0: whole, 1: mode = 'run', 2: commands = '' }): Block => ({
    page,
    line: text.slice(0, index + whole.indexOf('```sh')).split('\n').length,
    mode,
    commands,
  }));
});

describe('the commands of the documentation', () => {
  let server: TestServer;
  let origin: Origin;
  let folder: string;

  beforeAll(async () => {
    [server, origin] = await Promise.all([startServer(), startOrigin()]);
    folder = await mkdtemp(path.join(tmpdir(), 'passerelle-docs-'));
  });

  afterAll(async () => {
    await Promise.all([server[Symbol.asyncDispose](), origin[Symbol.asyncDispose]()]);
    await rm(folder, { recursive: true, force: true });
  });

  test('the server printed the account and the key that they use', () => {
    expect(server.welcome).toContain(ADMIN.apiKey);
    expect(server.welcome).toContain(ADMIN.password);
  });

  test.each(blocks)('$page, line $line ($mode)', async ({ mode, commands }) => {
    await run('bash', ['-n', '-c', commands]);
    if (mode.startsWith('not run:') || mode === 'run: start') return;
    const text = mode.startsWith('run: until ') ? mode.slice('run: until '.length) : undefined;
    const output = await runBlock(withRealAddresses(commands), text);
    expect(output).not.toMatch(/"errors":\[\{/);
  });

  /** Pages name the default ports; the test server has others. */
  function withRealAddresses(commands: string): string {
    const { http, socksShared, socksDedicated } = server.ready;
    return commands
      .replaceAll(/http:\/\/(?:localhost|127\.0\.0\.1):4000/g, http)
      .replaceAll(/(?:localhost|127\.0\.0\.1):1080/g, socksShared)
      .replaceAll(/(?:localhost|127\.0\.0\.1):1081/g, socksDedicated)
      .replaceAll(/https?:\/\/example\.com\//g, origin.url('/bytes/1000'));
  }

  async function runBlock(commands: string, until: string | undefined): Promise<string> {
    // A refused HTTP request fails its block. What a block sets is there for the next one.
    const script = [
      'set -aeuo pipefail',
      '[ ! -f .variables ] || . ./.variables',
      'curl() { command curl --fail-with-body --max-time 15 "$@"; }',
      commands,
      'export -p | grep -v -E "declare -[a-z]*r" > .variables',
    ];
    const child = spawn('bash', ['-c', script.join('\n')], {
      cwd: folder,
      env: { PATH: process.env['PATH'], KEY: ADMIN.apiKey, EMAIL: ADMIN.email, PASSWORD: ADMIN.password },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const end = (): void => void (child.exitCode === null && child.pid && process.kill(-child.pid, 'SIGKILL'));
    const timer = setTimeout(end, BLOCK_TIMEOUT_MS);
    let output = '';
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (until !== undefined && output.includes(until)) end();
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    if (until === undefined) expect(code, `${output}\n${complaint}`).toBe(0);
    else expect(output, complaint).toContain(until);
    return output;
  }
});

describe('what the documentation refers to exists', () => {
  const pages = [
    ...PAGES,
    ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
  ].filter((page) => page.endsWith('.md') && existsSync(path.join(root, page)));

  test.each(pages)('%s: links', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, link = '']) => link);
    const missing = links.filter((link) => !existsSync(path.join(root, path.dirname(page), link)));
    expect(missing).toEqual([]);
  });

  test.each(pages)('%s: npm scripts', (page) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/\bnpm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('README.md documents every variable of the configuration, and no other', () => {
    const known = [...read('src/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name);
    const rows = [...read('README.md').matchAll(/^\| (`[A-Z][^|]*) \|/gm)].map(([, cell = '']) => cell);
    const documented = rows.flatMap((cell) =>
      [...cell.matchAll(/`([A-Z][A-Z_]+)(?:_<\w+>)?`/g)].map(([, name]) => name),
    );
    expect(known).not.toEqual([]);
    expect(new Set(documented)).toEqual(new Set(known));
  });
});
