import type { Setback } from '../exits/exit.ts';
import type { UpstreamHandshake } from '../exits/upstream.ts';
import type { Abandonment } from './abandonment.ts';
import type { SocketEnd } from './reader.ts';

/**
 * Leads the handshake with an upstream proxy on a dialled socket that nobody reads yet. What comes
 * behind its last answer is kept for the tunnel, and the socket is not read further.
 * @returns why it failed, when it did
 */
export function negotiate(
  { socket, reader }: SocketEnd,
  handshake: UpstreamHandshake,
  { timeoutMs, abandonment }: { readonly timeoutMs: number; readonly abandonment: Abandonment },
): Promise<Setback | undefined> {
  if (reader === undefined) throw new Error('only dialled sockets have an upstream proxy');
  return new Promise((resolve) => {
    let waiting: Buffer = Buffer.alloc(0);
    const settle = (setback: Setback | undefined): void => {
      clearTimeout(timer);
      abandonment.listen(undefined);
      socket.off('end', closed).off('close', closed);
      reader.receive = () => false;
      reader.early = waiting;
      resolve(setback);
    };
    const closed = (): void => settle(handshake.broken('CLOSED'));
    const timer = setTimeout(() => settle(handshake.broken('TIMED_OUT')), timeoutMs);
    abandonment.listen(closed);
    socket.once('end', closed).once('close', closed);
    reader.receive = (chunk) => {
      // The buffer is read into again; a message may need what is in it now.
      waiting = Buffer.concat([waiting, chunk]);
      for (;;) {
        const read = handshake.read(waiting);
        if (read === undefined) return true;
        waiting = waiting.subarray(read.length);
        const { message } = read;
        if (message.kind === 'SEND') {
          if (message.bytes.length > 0) socket.write(message.bytes);
          continue;
        }
        settle(message.kind === 'FAIL' ? message.setback : undefined);
        return false;
      }
    };
    if (socket.destroyed) return closed();
    socket.write(handshake.hello);
    socket.resume();
  });
}
