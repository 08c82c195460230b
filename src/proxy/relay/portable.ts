import { connect, type Socket } from 'node:net';

import type { RefusalCode } from '../../errors.ts';
import { BufferPool } from './buffers.ts';
import { dialFailure } from './dialFailure.ts';
import { cut } from './handle.ts';
import { KeepAlive } from './keepAlive.ts';
import { negotiate } from './negotiate.ts';
import { Pump } from './pump.ts';
import { Reader, type SocketEnd } from './reader.ts';
import { Resets } from './resets.ts';
import { DialError, type DialFailure, type Relay, type Tunnel, type TunnelPlan } from './relay.ts';

/** The relay for every platform: Node's sockets, downloads through pooled static buffers. */
export function createPortableRelay(pool = new BufferPool()): Relay<SocketEnd> {
  const watches = { keepAlive: new KeepAlive(), resets: new Resets() };
  return {
    dial({ address, port }, { timeoutMs, abandonment, localAddress }) {
      return new Promise((resolve, reject) => {
        const reader = new Reader(pool);
        const socket = connect({
          host: address,
          port,
          ...(localAddress !== undefined && { localAddress }),
          allowHalfOpen: true,
          autoSelectFamily: false,
          noDelay: true,
          onread: reader.onread,
        });
        // A target that speaks first is not read before the client has its reply.
        socket.pause();
        reader.buffer.bind(socket);
        const settle = (failure?: DialFailure, cause?: unknown): void => {
          clearTimeout(timer);
          abandonment.listen(undefined);
          // Whatever happens to the socket later has this one listener at least, which keeps nothing of the attempt.
          socket.off('error', failed).on('error', ignore);
          if (failure === undefined) return resolve({ socket, reader });
          socket.destroy();
          reject(new DialError(failure, cause));
        };
        const abandon = (): void => settle('ABANDONED');
        const timer = setTimeout(settle, timeoutMs, 'TIMED_OUT');
        abandonment.listen(abandon);
        const failed = (error: Error): void => settle(failureOf(error, address, localAddress), error);
        socket.on('error', failed);
        socket.once('connect', () => settle());
        if (abandonment.abandoned) abandon();
      });
    },
    localAddress({ socket }) {
      const { localAddress: address, localPort: port } = socket;
      return address === undefined || port === undefined ? undefined : { address, port };
    },
    negotiate,
    discard({ socket, reader }) {
      cut(socket);
      // A long answer of an upstream proxy may have been read into a large one.
      reader?.buffer.release();
    },
    start: (plan) => new PortableTunnel(plan, watches),
  };
}

const NOTHING = Buffer.alloc(0);

function ignore(): void {}

function failureOf(error: Error, address: string, localAddress: string | undefined): DialFailure {
  const code = 'code' in error ? String(error.code) : '';
  const binding = 'syscall' in error && error.syscall === 'bind';
  return dialFailure({ code, binding, address, localAddress });
}

/** What looks after the sockets of all tunnels. */
interface Watches {
  readonly keepAlive: KeepAlive;
  readonly resets: Resets;
}

class PortableTunnel implements Tunnel {
  readonly #plan: TunnelPlan<SocketEnd>;
  readonly #up: Pump;
  readonly #down: Pump;
  readonly #idle: NodeJS.Timeout;
  readonly #watches: Watches;
  readonly #sockets: { readonly client: Socket; readonly target: Socket };
  #cut: RefusalCode | undefined;
  #open = 2;

  constructor(plan: TunnelPlan<SocketEnd>, watches: Watches) {
    this.#plan = plan;
    this.#watches = watches;
    const client = plan.client.socket;
    const { socket: target, reader } = plan.target;
    this.#sockets = { client, target };
    watches.keepAlive.add(this.#sockets);
    watches.resets.add(this.#sockets);
    this.#up = new Pump('up', plan.session, target, () => client.resume());
    this.#down = new Pump('down', plan.session, client, () => {
      if (reader !== undefined) reader.buffer.busy = false;
      target.resume();
    });
    this.#idle = setTimeout(() => this.abort(), plan.idleTimeoutMs);
    plan.session.attach({
      granted: () => {
        this.#up.granted();
        this.#down.granted();
      },
      ended: (reason) => {
        this.#cut = reason;
        this.abort();
      },
      unaccepted: (direction) => (direction === 'up' ? this.#up : this.#down).unaccepted,
    });
    this.#watch(client, this.#up);
    this.#watch(target, this.#down);
    this.#run(client, target, reader);
  }

  abort(): void {
    // First the count of what is in flight, then the sockets that know it.
    this.#up.stop();
    this.#down.stop();
    cut(this.#plan.client.socket);
    cut(this.#plan.target.socket);
  }

  #watch(source: Socket, pump: Pump): void {
    source.on('end', () => pump.end());
    source.on('error', () => this.abort());
    source.on('close', () => this.#closed());
  }

  #run(client: Socket, target: Socket, reader: Reader | undefined): void {
    client.on('data', (chunk: Buffer) => {
      this.#idle.refresh();
      if (!this.#up.receive(chunk)) client.pause();
    });
    if (reader !== undefined) {
      reader.receive = (chunk) => {
        this.#idle.refresh();
        return this.#down.receive(chunk);
      };
    }
    // What was read before the tunnel began was copied out of the buffer.
    if (reader !== undefined) reader.buffer.busy = false;
    const held = reader?.early ?? NOTHING;
    if (held.length === 0 || this.#down.receive(held)) target.resume();
    const { early, clientEnded } = this.#plan;
    const passed = early.length === 0 || this.#up.receive(early);
    if (clientEnded) this.#up.end();
    else if (passed) client.resume();
    else client.pause();
  }

  #closed(): void {
    if (--this.#open > 0) {
      // Closed in good order: the other side is about to close as well. Otherwise nobody would end it.
      const { client, target } = this.#plan;
      if (!client.socket.readableEnded || !target.socket.readableEnded) this.abort();
      return;
    }
    clearTimeout(this.#idle);
    this.#watches.keepAlive.delete(this.#sockets);
    this.#watches.resets.delete(this.#sockets);
    this.#up.stop();
    this.#down.stop();
    this.#plan.target.reader?.buffer.release();
    this.#plan.session.close();
    this.#plan.closed(this.#cut);
  }
}
