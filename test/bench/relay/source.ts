import { listenSockets, type ListenerSocket } from '../../../src/proxy/relay/fast/listen.ts';
import { K } from '../../../src/proxy/relay/fast/syscalls.ts';
import { calls, Events, IN, OUT, read, send } from './events.ts';

const CHUNK = Buffer.alloc(1 << 20, 'passerelle ');
const SMALL = CHUNK.subarray(0, 1_024);
const SCRATCH = Buffer.alloc(4_096);
/** Milliseconds between looks at whether the parent is still there. */
const TURN_MS = 20;

/** Sends without end on one port; on the other one kilobyte for each request, and its clients close first. */
export async function startSource(): Promise<{ readonly endless: number; readonly short: number }> {
  const events = new Events();
  const [endless] = await listenSockets(calls, '127.0.0.1', 0, 1);
  const [short] = await listenSockets(calls, '127.0.0.1', 0, 1);
  if (endless === undefined || short === undefined) throw new Error('the source cannot listen');
  accept(events, endless, IN | OUT, (fd, bits) => {
    const ended = (bits & IN) !== 0 && read(fd, SCRATCH) <= 0;
    if (ended || send(fd, CHUNK) < 0) events.close(fd);
  });
  accept(events, short, IN, (fd) => {
    if (read(fd, SCRATCH) <= 0) events.close(fd);
    else send(fd, SMALL);
  });
  const turn = (): void => {
    const until = performance.now() + TURN_MS;
    while (performance.now() < until) events.turn(TURN_MS);
    setImmediate(turn);
  };
  setImmediate(turn);
  return { endless: endless.port, short: short.port };
}

function accept(
  events: Events,
  { fd: listener }: ListenerSocket,
  bits: number,
  happened: (fd: number, bits: number) => void,
): void {
  const address = Buffer.alloc(28);
  const bytes = new Uint32Array(1);
  events.watch(listener, IN, () => {
    bytes[0] = address.length;
    const fd = calls.accept4(listener, address, bytes, K.NONBLOCK | K.CLOEXEC);
    if (fd < 0) return;
    calls.setsockopt(fd, K.IPPROTO_TCP, K.TCP_NODELAY, Int32Array.of(1), 4);
    events.watch(fd, bits, (found) => happened(fd, found));
  });
}
