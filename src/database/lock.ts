import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** Somebody else has the data folder open. */
export class DataDirectoryInUse extends Error {
  override readonly name = 'DataDirectoryInUse';
  constructor(folder: string) {
    super(`the data folder ${folder} is in use by another running server; stop it, or set DATA_DIR to another folder`);
  }
}

/**
 * Takes the exclusive lock of a data folder. The embedded database has none of its own: two
 * processes on one folder would lose committed rows without an error.
 *
 * A listening unix socket is the lock: the kernel drops it with the process, however that ends.
 * It is made under a private name and then hard-linked, which is atomic, so that of two servers
 * starting at once exactly one wins.
 * @returns a function that gives the lock back
 * @throws DataDirectoryInUse
 */
export async function lockDataDirectory(folder: string): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true });
  const socketPath = path.join(folder, 'lock');
  const privatePath = path.join(folder, `.lock-${randomUUID().slice(0, 8)}`);
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(shortest(privatePath), resolve);
  });
  server.unref();
  const release = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(privatePath, { force: true });
  };
  for (let attempt = 0; attempt < MAX_STALE_LOCKS; attempt += 1) {
    try {
      linkSync(privatePath, socketPath);
      return async () => {
        rmSync(socketPath, { force: true });
        await release();
      };
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) {
        await release();
        throw error;
      }
    }
    if ((await answers(socketPath)) || !(await removeStale(socketPath))) break;
  }
  await release();
  throw new DataDirectoryInUse(folder);
}

const MAX_STALE_LOCKS = 5;

/**
 * Moves a dead socket aside. If the one moved turns out to be alive, another server won in the
 * meantime: it is put back.
 */
async function removeStale(socketPath: string): Promise<boolean> {
  const aside = `${socketPath}-${randomUUID().slice(0, 8)}`;
  try {
    renameSync(socketPath, aside);
  } catch (error) {
    return isErrno(error, 'ENOENT');
  }
  if (await answers(aside)) {
    renameSync(aside, socketPath);
    return false;
  }
  rmSync(aside, { force: true });
  return true;
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(shortest(socketPath));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Unix socket paths end at 107 bytes; a path relative to the working folder is often shorter. */
function shortest(absolute: string): string {
  const relative = path.relative(process.cwd(), absolute);
  return relative.length < absolute.length ? relative : absolute;
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
