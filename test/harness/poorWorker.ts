import { constants } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';

import { Loop } from '../../src/proxy/relay/fast/loop.ts';
import type { WorkerStart } from '../../src/proxy/relay/fast/messages.ts';
import { loadSyscalls } from '../../src/proxy/relay/fast/syscalls.ts';

/** The code of a relay worker that gets no socket to dial with, as when the process has no descriptors left. */
if (parentPort === null) throw new Error('this file runs in a worker thread');
const calls = loadSyscalls();
let last = 'OTHER';
const note = <Arguments extends readonly unknown[]>(call: (...given: Arguments) => number) => {
  return (...given: Arguments): number => {
    last = 'OTHER';
    return call(...given);
  };
};
const socket = (): number => {
  last = 'SOCKET';
  return -1;
};
const errno = (): number => (last === 'SOCKET' ? constants.errno.EMFILE : calls.errno());
const { recv, accept4, epoll_wait } = calls;
new Loop(
  { ...calls, socket, errno, recv: note(recv), accept4: note(accept4), epoll_wait: note(epoll_wait) },
  parentPort,
  workerData as WorkerStart,
).run();
