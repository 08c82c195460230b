import { connect, type Socket } from 'node:net';

import { seededRandom, type Random } from '../../simulation/random.ts';
import { addressOf } from './addresses.ts';
import { serveCommands } from './child.ts';
import { malformed, type Wanted } from './malformed.ts';

/** Clients from all over 127.0.0.0/8 that send malformed handshakes. */
export interface StrangersCommand extends Wanted {
  readonly proxyPorts: readonly number[];
  readonly connections: number;
  readonly seed: number;
}

export interface StrangersCount {
  /** Connections that the proxy accepted. */
  readonly connected: number;
  /** Of these, those that were answered. */
  readonly answered: number;
  /** Why others came to nothing; the first ones. */
  readonly faults: readonly string[];
}

const AT_ONCE = 64;
const MAX_FAULTS = 10;
/** Milliseconds for which a client waits for an answer, and for the proxy to close. */
const PATIENCE_MS = 50;
const CLOSE_TIMEOUT_MS = 30_000;

/** How a client leaves: behind its last byte, when it was answered, or by ending its side and waiting for the proxy. */
const LEAVES = ['AT_ONCE', 'ANSWERED', 'ENDING'] as const;

let made = 0;
let connected = 0;
let answered = 0;
const faults: string[] = [];

/** @returns once the connection is gone */
function visit(random: Random, command: StrangersCommand): Promise<void> {
  const message = malformed(random, command);
  const split = random.chance(0.3) ? random.int(0, message.length) : 0;
  const leave = random.pick(LEAVES);
  made += 1;
  return new Promise((resolve) => {
    const port = random.pick(command.proxyPorts);
    const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(made), noDelay: true });
    const timer = setTimeout(() => socket.destroy(new Error('it was not closed')), CLOSE_TIMEOUT_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever is refused may be reset while it still sends.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return;
      if (faults.length < MAX_FAULTS) faults.push(error.message);
    });
    socket.on('close', () => resolve(clearTimeout(timer)));
    socket.once('data', () => (answered += 1)).resume();
    socket.on('connect', () => {
      connected += 1;
      if (split > 0) socket.write(message.subarray(0, split));
      setImmediate(() => socket.write(message.subarray(split), () => goodbye(socket, leave)));
    });
  });
}

function goodbye(socket: Socket, leave: (typeof LEAVES)[number]): void {
  if (leave === 'ENDING') return void socket.end();
  if (leave === 'AT_ONCE') return void socket.resetAndDestroy();
  const reset = (): void => void socket.resetAndDestroy();
  const timer = setTimeout(reset, PATIENCE_MS);
  socket.once('close', () => clearTimeout(timer)).once('data', reset);
}

serveCommands(async (command: StrangersCommand) => {
  const random = seededRandom(command.seed);
  const last = made + command.connections;
  const next = async (): Promise<void> => {
    while (made < last) await visit(random, command);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return { connected, answered, faults } satisfies StrangersCount;
});
