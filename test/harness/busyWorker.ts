import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/** The code of a relay worker that is kept busy in every turn, as by a flood of handshakes, for so many milliseconds. */
const BUSY_MS = 5;

if (parentPort === null) throw new Error('this file runs in a worker thread');
const loop = new Loop(loadSyscalls(), parentPort, workerData as WorkerStart);
const advance = loop.timers.advance.bind(loop.timers);
loop.timers.advance = (now) => {
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until);
  advance(now);
};
loop.run();
