import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/** The code of a relay worker that gets so many bytes from a read at most: what clients send is many reads. */
const SIP_BYTES = 16;

if (parentPort === null) throw new Error('this file runs in a worker thread');
const calls = loadSyscalls();
const recv: typeof calls.recv = (fd, buffer, bytes, flags) => calls.recv(fd, buffer, Math.min(bytes, SIP_BYTES), flags);
new Loop({ ...calls, recv }, parentPort, workerData as WorkerStart).run();
