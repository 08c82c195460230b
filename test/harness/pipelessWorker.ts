import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/** The code of a relay worker that gets no pipes. */
if (parentPort === null) throw new Error('this file runs in a worker thread');
new Loop({ ...loadSyscalls(), pipe2: () => -1 }, parentPort, workerData as WorkerStart).run();
