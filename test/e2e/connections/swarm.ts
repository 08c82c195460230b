import { connect, type Socket } from 'node:net';

import { GREETING, login, request } from '../../harness/socksMessages.ts';
import { addressOf } from './addresses.ts';
import { serveCommands } from './child.ts';

/** Many clients of one key, from addresses all over 127.0.0.0/8. */
export type SwarmCommand =
  | {
      readonly do: 'open';
      readonly proxyPort: number;
      readonly key: string;
      readonly targetPort: number;
      readonly connections: number;
      /** Stops reading for good after so many bytes of payload. */
      readonly stallAfter?: number;
    }
  /** Every tunnel sends a byte and waits for one. */
  | { readonly do: 'ping' }
  | { readonly do: 'count' }
  /** Goes on reading, until every tunnel has ended in good order. */
  | { readonly do: 'drain' }
  /** Resets every connection. */
  | { readonly do: 'reset' };

export interface SwarmCount {
  /** Tunnels that are open now. */
  readonly open: number;
  /** Why others did not open, or ended; the first ones. */
  readonly faults: readonly string[];
  /** Tunnels that have stopped reading. */
  readonly stalled: number;
  /** Payload bytes so far, over all tunnels. */
  readonly received: number;
}

const HANDSHAKE_ANSWER_BYTES = 14;
const AT_ONCE = 100;
const TUNNEL_TIMEOUT_MS = 30_000;
const MAX_FAULTS = 10;

const tunnels = new Set<Tunnel>();
const faults: string[] = [];
let received = 0;

function fault(text: string): void {
  if (faults.length < MAX_FAULTS) faults.push(text);
}

class Tunnel {
  readonly socket: Socket;
  readonly opened: Promise<void>;
  /** Nothing more comes; when that was not in good order, a fault tells. */
  readonly ended: Promise<void>;
  stalled = false;
  resetting = false;
  #answer = Buffer.alloc(0);
  #untilStall: number;
  #onPayload: () => void = () => undefined;

  constructor(index: number, order: Extract<SwarmCommand, { do: 'open' }>) {
    this.#untilStall = order.stallAfter ?? Infinity;
    this.socket = connect({ port: order.proxyPort, host: '127.0.0.1', localAddress: addressOf(index) });
    this.socket.setNoDelay(true);
    this.socket.on('error', (error) => fault(error.message));
    this.ended = new Promise((resolve) => this.socket.on('end', resolve).on('close', () => resolve()));
    this.opened = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.socket.destroy(new Error('no answer in time')), TUNNEL_TIMEOUT_MS);
      this.socket.on('close', () => {
        clearTimeout(timer);
        if (!this.resetting && !this.socket.readableEnded) fault('closed by the proxy');
        tunnels.delete(this);
        reject(new Error('closed'));
      });
      this.socket.on('data', (chunk) => this.#receive(chunk, () => resolve(clearTimeout(timer))));
    });
    this.socket.write(Buffer.concat([Buffer.from(GREETING), login(order.key, 'x'), request(order.targetPort)]));
  }

  /** Sends a byte. @returns once one has come back */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(reject, TUNNEL_TIMEOUT_MS, new Error('no byte came back'));
      this.#onPayload = () => resolve(clearTimeout(timer));
      this.socket.write('x');
    });
  }

  drain(): Promise<void> {
    this.#untilStall = Infinity;
    this.stalled = false;
    this.socket.resume();
    return this.ended;
  }

  #receive(chunk: Buffer, opened: () => void): void {
    const missing = HANDSHAKE_ANSWER_BYTES - this.#answer.length;
    let payload = chunk;
    if (missing > 0) {
      this.#answer = Buffer.concat([this.#answer, chunk.subarray(0, missing)]);
      payload = chunk.subarray(missing);
      if (this.#answer.length < HANDSHAKE_ANSWER_BYTES) return;
      // 05 02, 01 00, 05 00 …: the method, the login and the request are accepted.
      const accepted = this.#answer.subarray(0, 6).equals(Buffer.of(5, 2, 1, 0, 5, 0));
      if (!accepted) return void this.socket.destroy(new Error(`refused: ${this.#answer.toString('hex')}`));
      opened();
    }
    if (payload.length === 0) return;
    received += payload.length;
    this.#untilStall -= payload.length;
    if (this.#untilStall <= 0) {
      this.stalled = true;
      this.socket.pause();
    }
    this.#onPayload();
  }
}

let made = 0;

async function open(order: Extract<SwarmCommand, { do: 'open' }>): Promise<void> {
  const last = made + order.connections;
  const next = async (): Promise<void> => {
    while (made < last) {
      const tunnel = new Tunnel(made++, order);
      tunnels.add(tunnel);
      await tunnel.opened.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function reset(): Promise<void> {
  const closed = Array.from(tunnels, ({ socket }) => new Promise((resolve) => socket.once('close', resolve)));
  for (const tunnel of tunnels) {
    tunnel.resetting = true;
    tunnel.socket.resetAndDestroy();
  }
  await Promise.all(closed);
}

const ORDERS = {
  open,
  reset,
  drain: () => Promise.all(Array.from(tunnels, (tunnel) => tunnel.drain())),
  ping: () => Promise.all(Array.from(tunnels, (tunnel) => tunnel.ping().catch((error: Error) => fault(error.message)))),
  count: () => undefined,
};

serveCommands(async (command: SwarmCommand) => {
  await (command.do === 'open' ? open(command) : ORDERS[command.do]());
  const all = [...tunnels];
  const count: SwarmCount = {
    open: all.length,
    faults,
    stalled: all.filter(({ stalled }) => stalled).length,
    received,
  };
  return count;
});
