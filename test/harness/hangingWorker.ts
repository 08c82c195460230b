import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/** The code of a relay worker that never comes back when it dials this port. */
const PORT_OF_NO_RETURN = 9;

if (parentPort === null) throw new Error('this file runs in a worker thread');
const calls = loadSyscalls();
const connect: typeof calls.connect = (fd, address, bytes) => {
  while (Buffer.from(address).readUInt16BE(2) === PORT_OF_NO_RETURN);
  return calls.connect(fd, address, bytes);
};
new Loop({ ...calls, connect }, parentPort, workerData as WorkerStart).run();
