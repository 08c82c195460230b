import { constants } from 'node:os';

import koffi from 'koffi';

/**
 * The system calls of the fast relay: the only file that knows koffi. A wrong signature here is a
 * crash, so the table holds what is used and nothing else. Every call answers -1 when it fails;
 * `errno` tells why until the next call.
 */
export interface Syscalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, bytes: Uint32Array, flags: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  getsockname(fd: number, address: Uint8Array, bytes: Uint32Array): number;
  getsockopt(fd: number, level: number, option: number, value: Int32Array, bytes: Uint32Array): number;
  setsockopt(fd: number, level: number, option: number, value: Int32Array, bytes: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Uint8Array, bytes: number): number;
  write(fd: number, buffer: Uint8Array, bytes: number): number;
  recv(fd: number, buffer: Uint8Array, bytes: number, flags: number): number;
  send(fd: number, buffer: Uint8Array, bytes: number, flags: number): number;
  /** The offsets are for files. */
  splice(source: number, from: null, target: number, to: null, bytes: number, flags: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  eventfd(value: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(fd: number, operation: number, target: number, event: Uint8Array): number;
  epoll_wait(fd: number, events: Uint8Array, most: number, timeoutMs: number): number;
  poll(items: Uint8Array, count: number, timeoutMs: number): number;
  errno(): number;
}

const SIGNATURES: Readonly<Record<Exclude<keyof Syscalls, 'errno'>, string>> = {
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint32_t)',
  listen: 'int listen(int, int)',
  accept4: 'int accept4(int, void *, void *, int)',
  connect: 'int connect(int, void *, uint32_t)',
  getsockname: 'int getsockname(int, void *, void *)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint32_t)',
  shutdown: 'int shutdown(int, int)',
  close: 'int close(int)',
  read: 'int64_t read(int, void *, size_t)',
  write: 'int64_t write(int, void *, size_t)',
  recv: 'int64_t recv(int, void *, size_t, int)',
  send: 'int64_t send(int, void *, size_t, int)',
  splice: 'int64_t splice(int, void *, int, void *, size_t, unsigned int)',
  pipe2: 'int pipe2(void *, int)',
  fcntl: 'int fcntl(int, int, ...)',
  eventfd: 'int eventfd(unsigned int, int)',
  epoll_create1: 'int epoll_create1(int)',
  epoll_ctl: 'int epoll_ctl(int, int, int, void *)',
  epoll_wait: 'int epoll_wait(int, void *, int, int)',
  poll: 'int poll(void *, size_t, int)',
};

/** Numbers of the kernel's interface that x86-64 and arm64 have in common. */
export const K = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  /** `SOCK_NONBLOCK | SOCK_CLOEXEC`, and the same bits of `O_`, `EFD_` and `EPOLL_`. */
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_REUSEPORT: 15,
  IPPROTO_IP: 0,
  IP_BIND_ADDRESS_NO_PORT: 24,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  MSG_PEEK: 0x2,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  F_SETPIPE_SZ: 1_031,
  F_GETPIPE_SZ: 1_032,
  SPLICE_MOVE_NONBLOCK: 3,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  POLLOUT: 0x4,
  EPOLLIN: 0x1,
  EPOLLOUT: 0x4,
  EPOLLERR: 0x8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  /** Bit 31, as the signed number that bit operations make of it. */
  EPOLLET: 1 << 31,
} as const;

export const { EAGAIN, EINTR, EINPROGRESS, EPERM, EMFILE, ENFILE } = constants.errno;

/** `struct epoll_event` is packed on x86-64 and aligned on arm64 (epoll_ctl(2), linux/eventpoll.h). */
const EPOLL_EVENT: Readonly<Record<string, { readonly bytes: number; readonly data: number }>> = {
  x64: { bytes: 12, data: 4 },
  arm64: { bytes: 16, data: 8 },
};

/** Where the parts of an epoll event lie on this machine. @throws Error on one that is not known */
export function epollLayout(): { readonly bytes: number; readonly data: number } {
  const layout = EPOLL_EVENT[process.arch];
  if (process.platform !== 'linux' || layout === undefined) {
    throw new Error(`no fast relay for ${process.platform} on ${process.arch}`);
  }
  return layout;
}

/** @throws Error when the C library cannot be reached */
export function loadSyscalls(): Syscalls {
  const library = koffi.load(null);
  const names = Object.entries(SIGNATURES).map(([name, signature]) => [name, library.func(signature)]);
  const calls = Object.fromEntries(names) as Omit<Syscalls, 'errno'> & { fcntl: Variadic };
  const { fcntl } = calls;
  return {
    ...calls,
    // What follows the dots needs its type with every call.
    fcntl: (fd, command, argument) => fcntl(fd, command, 'int', argument),
    errno: () => koffi.errno(),
  };
}

type Variadic = (fd: number, command: number, type: 'int', argument: number) => number;

/** A call failed that cannot fail in the normal course of things. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly code: string;
  readonly syscall: string;

  /** @param about what the call was about */
  constructor(syscall: string, errno: number, about = '') {
    const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    super(`${syscall} ${code}${about && `: ${about}`}`);
    this.code = code;
    this.syscall = syscall;
  }
}

/** @throws SyscallError when the call answered -1 */
export function must(calls: Syscalls, syscall: string, result: number): number {
  if (result < 0) throw new SyscallError(syscall, calls.errno());
  return result;
}
