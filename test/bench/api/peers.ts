import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.join(import.meta.dirname, '../../..');
const NAMES = ['floor', 'mercurius'] as const;

export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

/** The peers compiled by our own compiler, as our server is: run from its sources each would be up to a fifth slower. */
export async function compilePeers(): Promise<
  AsyncDisposable & { start(name: (typeof NAMES)[number], env: NodeJS.ProcessEnv): Promise<Peer> }
> {
  const folder = await mkdtemp(path.join(tmpdir(), 'passerelle-bench-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    const config = {
      extends: path.join(root, 'tsconfig.build.json'),
      compilerOptions: { rootDir: root, outDir: folder, noCheck: true, sourceMap: false },
      files: NAMES.map((name) => path.join(import.meta.dirname, `${name}.ts`)),
      include: [],
    };
    await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    await promisify(execFile)(path.join(root, 'node_modules/.bin/tsc'), ['-p', folder]);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    start: (name, env) => start(path.join(folder, `test/bench/api/${name}.js`), env),
    [Symbol.asyncDispose]: remove,
  };
}

async function start(file: string, env: NodeJS.ProcessEnv): Promise<Peer> {
  const child = fork(file, { env, execArgv: [] });
  const { url } = await messageOf<{ url: string }>(child);
  return {
    port: Number(new URL(url).port),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}

/** The next message of a process. @throws Error when it ends first */
export function messageOf<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process of the bench ended early (${code})`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as Message);
    });
  });
}
