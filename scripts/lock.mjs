// A lock between processes that share a checkout: a file that names its holder. It is made under
// a private name and then hard-linked, which is atomic. A holder that died, or stopped touching
// its file, lost it. The rare race that is left when two take a stale lock over at once is
// harmless here: what is done under the lock is idempotent and ends in a rename.
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const HEARTBEAT_MS = 1_000;
/** Longer than any pause of a live holder, which also makes a database in its own process, on a busy machine. */
const STALE_MS = 60_000;
const POLL_MS = 100;
const MAX_WAIT_MS = 5 * 60_000;

/** Runs `work` while holding the lock `file`; waits until it is free. */
export async function withLock(file, work) {
  const mine = `${file}-${process.pid}-${Math.random().toString(36).slice(2)}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, host: hostname() }));
  try {
    await acquire(file, mine);
    const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS);
    try {
      return await work();
    } finally {
      clearInterval(heartbeat);
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

async function acquire(file, mine) {
  const deadline = Date.now() + MAX_WAIT_MS;
  for (;;) {
    try {
      touch(mine);
      linkSync(mine, file);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isStale(file)) removeStale(file, `${mine}-stale`);
    else if (Date.now() > deadline)
      throw new Error(`${file} is held by another process; remove it if that one is gone`);
    else await delay(POLL_MS);
  }
}

/** Moves the stale file aside; if another process took the lock over meanwhile, gives it back. */
function removeStale(file, aside) {
  try {
    renameSync(file, aside);
    if (!isStale(aside)) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
}

function isStale(file) {
  try {
    const { pid, host } = JSON.parse(readFileSync(file, 'utf8'));
    return (host === hostname() && !isAlive(pid)) || Date.now() - statSync(file).mtimeMs > STALE_MS;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function touch(file) {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}
