import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from './loop.ts';
import type { WorkerStart } from './messages.ts';
import { loadSyscalls } from './syscalls.ts';

/** Where a relay worker begins. */
if (parentPort === null) throw new Error('this file runs in a worker thread');
new Loop(loadSyscalls(), parentPort, workerData as WorkerStart).run();
