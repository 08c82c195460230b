import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { EAGAIN, loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/**
 * The code of a relay worker whose sockets take nothing at first although they have room, as when the system's memory
 * for TCP is scarce: no event will ever tell of room.
 */
const REFUSALS = 1;

if (parentPort === null) throw new Error('this file runs in a worker thread');
const calls = loadSyscalls();
/** Descriptors from which bytes go into a socket. */
const pipes = new Set<number>();
const refused = new Map<number, number>();
let refusing = false;
const pipe2: typeof calls.pipe2 = (ends, flags) => {
  const result = calls.pipe2(ends, flags);
  pipes.add(ends[0] ?? -1);
  return result;
};
const splice: typeof calls.splice = (source, from, target, to, bytes, flags) => {
  const times = refused.get(target) ?? 0;
  refusing = pipes.has(source) && times < REFUSALS;
  if (!refusing) return calls.splice(source, from, target, to, bytes, flags);
  refused.set(target, times + 1);
  return -1;
};
const errno: typeof calls.errno = () => (refusing ? EAGAIN : calls.errno());
new Loop({ ...calls, pipe2, splice, errno }, parentPort, workerData as WorkerStart).run();
