import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

import { BACKLOG, KEEP_ALIVE_SECONDS } from '../../limits.ts';
import { decodeAddress, encodeListener, SOCKADDR_BYTES } from './address.ts';
import { K, must, SyscallError, type Syscalls } from './syscalls.ts';

const ONE = Int32Array.of(1);
const ZERO = Int32Array.of(0);

/** A listening socket, as a descriptor. */
export interface ListenerSocket {
  readonly fd: number;
  readonly address: string;
  readonly port: number;
}

/**
 * Listening sockets on one address, one for each worker: the kernel spreads the clients over them.
 * @throws SyscallError (`syscall` is `listen`) when the address cannot be bound; nothing is left open then
 */
export async function listenSockets(
  calls: Syscalls,
  host: string,
  port: number,
  count: number,
): Promise<ListenerSocket[]> {
  const address = isIP(host) === 0 ? (await lookup(host)).address : host;
  const sockets: ListenerSocket[] = [];
  try {
    // Shared ports can be taken by anybody of the same user: one that is not shared tells whether it is free.
    const first = openListener(calls, address, port, false);
    if (count === 1) return [first];
    calls.close(first.fd);
    for (let index = 0; index < count; index++) sockets.push(openListener(calls, address, first.port, true));
    return sockets;
  } catch (error) {
    for (const { fd } of sockets) calls.close(fd);
    throw error;
  }
}

function openListener(calls: Syscalls, host: string, port: number, shared: boolean): ListenerSocket {
  const { family, bytes } = encodeListener(host, port);
  const fd = must(calls, 'socket', calls.socket(family, K.SOCK_STREAM | K.NONBLOCK | K.CLOEXEC, 0));
  try {
    configure(calls, fd, family, shared);
    if (calls.bind(fd, bytes, bytes.length) < 0 || calls.listen(fd, BACKLOG) < 0) {
      throw new SyscallError('listen', calls.errno(), `${host}:${port}`);
    }
    const local = Buffer.alloc(SOCKADDR_BYTES);
    must(calls, 'getsockname', calls.getsockname(fd, local, Uint32Array.of(SOCKADDR_BYTES)));
    return { fd, address: host, port: decodeAddress(local).port };
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** Clients inherit the options of TCP from their listener: that saves calls for each of them. */
function configure(calls: Syscalls, fd: number, family: number, shared: boolean): void {
  const set = (level: number, option: number, value: Int32Array): void =>
    void must(calls, 'setsockopt', calls.setsockopt(fd, level, option, value, value.byteLength));
  set(K.SOL_SOCKET, K.SO_REUSEADDR, ONE);
  if (shared) set(K.SOL_SOCKET, K.SO_REUSEPORT, ONE);
  if (family === K.AF_INET6) set(K.IPPROTO_IPV6, K.IPV6_V6ONLY, ZERO);
  set(K.IPPROTO_TCP, K.TCP_NODELAY, ONE);
  set(K.SOL_SOCKET, K.SO_KEEPALIVE, ONE);
  set(K.IPPROTO_TCP, K.TCP_KEEPIDLE, Int32Array.of(KEEP_ALIVE_SECONDS));
}
