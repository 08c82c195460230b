import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** Somebody else has the data folder open. */
export class DataDirectoryInUse extends Error {
  override readonly name = 'DataDirectoryInUse';
  constructor(folder: string) {
    super(`the data folder ${folder} is in use by another running server; stop it, or set DATA_DIR to another folder`);
  }
}

/** How often a start looks again after it lost a race. */
const MAX_ATTEMPTS = 10;

/** A private name older than this belongs to a process that was killed. */
const STALE_MS = 60_000;

/**
 * Takes the exclusive lock of a data folder. The embedded database has none of its own: two
 * processes on one folder would lose committed rows without an error.
 *
 * The lock is a listening unix socket, which the kernel closes with its process, however that
 * ends. Generations make taking over a dead one safe: the owner is the highest `lock.<n>` in the
 * folder, the next owner makes n + 1 by hard link, which is atomic and fails when it exists, and
 * nobody ever removes the highest.
 * @returns a function that gives the lock back
 * @throws DataDirectoryInUse
 */
export async function lockDataDirectory(folder: string): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true });
  const own = path.join(folder, `.lock-${randomUUID().slice(0, 8)}`);
  const server = await listen(own);
  const release = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(own, { force: true });
  };
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const current = highest(folder);
      if (current > 0 && (await answers(lockPath(folder, current)))) throw new DataDirectoryInUse(folder);
      if (takeGeneration(folder, own, current + 1)) return release;
    }
    throw new DataDirectoryInUse(folder);
  } catch (error) {
    await release();
    throw error;
  }
}

function takeGeneration(folder: string, own: string, generation: number): boolean {
  const target = lockPath(folder, generation);
  try {
    linkSync(own, target);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
  // Somebody slow may have made a generation that was already past and removed: it is not the owner.
  if (highest(folder) !== generation) {
    rmSync(target, { force: true });
    return false;
  }
  for (const older of generations(folder).filter((number) => number < generation)) {
    rmSync(lockPath(folder, older), { force: true });
  }
  removeStalePrivateNames(folder, own);
  return true;
}

function removeStalePrivateNames(folder: string, own: string): void {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('.lock-'))) {
    const file = path.join(folder, name);
    const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (file !== own && made !== undefined && Date.now() - made > STALE_MS) rmSync(file, { force: true });
  }
}

function generations(folder: string): number[] {
  return readdirSync(folder).flatMap((name) => {
    const match = /^lock\.(\d{1,12})$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

function highest(folder: string): number {
  return Math.max(0, ...generations(folder));
}

function lockPath(folder: string, generation: number): string {
  return path.join(folder, `lock.${generation}`);
}

async function listen(socketPath: string): Promise<net.Server> {
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(shortest(socketPath), resolve);
  });
  return server.unref();
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
