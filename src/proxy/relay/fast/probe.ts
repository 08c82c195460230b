import { epollLayout, K, loadSyscalls, must, type Syscalls } from './syscalls.ts';

/**
 * Whether this machine can run the fast relay: not every sandbox allows these calls.
 * @throws Error that says why not
 */
export function probe(): Syscalls {
  epollLayout();
  const calls = loadSyscalls();
  const opened: number[] = [];
  const open = (syscall: string, fd: number): number => {
    opened.push(must(calls, syscall, fd));
    return fd;
  };
  const pipe = (): [number, number] => {
    const ends = new Int32Array(2);
    must(calls, 'pipe2', calls.pipe2(ends, K.NONBLOCK | K.CLOEXEC));
    const [read = -1, write = -1] = ends;
    opened.push(read, write);
    return [read, write];
  };
  try {
    open('epoll_create1', calls.epoll_create1(K.CLOEXEC));
    open('eventfd', calls.eventfd(0, K.NONBLOCK | K.CLOEXEC));
    const [source, into] = pipe();
    const [, target] = pipe();
    must(calls, 'write', calls.write(into, Buffer.of(1), 1));
    must(calls, 'splice', calls.splice(source, null, target, null, 1, K.SPLICE_MOVE_NONBLOCK));
  } finally {
    for (const fd of opened) calls.close(fd);
  }
  return calls;
}
