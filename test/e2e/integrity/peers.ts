import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { RawClient, type RawSocket } from '../../harness/socks.ts';
import { seededRandom } from '../../simulation/random.ts';
import { handshake, NUMBER_BYTES, type Message, type Plan } from './plan.ts';

/** One connection: its plan, and what its two sides tell each other. */
export interface Visit {
  readonly index: number;
  readonly plan: Plan;
  /** Payload bytes that have arrived at the target, and at the client. */
  readonly arrived: { up: number; down: number };
  /** Resolves when all of both have. */
  readonly complete: Promise<void>;
  /** To be called when one of them has. */
  progress(): void;
}

/** What every payload is cut from. */
const BLOCK = Buffer.alloc(2 ** 21);
const block = seededRandom(1);
for (let at = 0; at < BLOCK.length; at += 4) BLOCK.writeUInt32LE(block.int(0, 2 ** 32 - 1), at);

/** Of a slow side. */
const WRITES = 6;
const PAUSES = 8;
const PAUSE_MS = 3;

export function planned(index: number, plan: Plan): Visit {
  const arrived = { up: 0, down: 0 };
  let resolve: () => void = () => undefined;
  const complete = new Promise<void>((done) => (resolve = done));
  const progress = (): void => {
    if (arrived.up === plan.up && arrived.down === plan.down) resolve();
  };
  return { index, plan, arrived, complete, progress };
}

/** The number of the connection, and bytes that differ from connection to connection. */
function upload({ index, plan }: Visit): Buffer {
  const bytes = Buffer.from(BLOCK.subarray(index, index + plan.up));
  bytes.writeUInt32BE(index);
  return bytes;
}

function download({ index, plan }: Visit): Buffer {
  return BLOCK.subarray(BLOCK.length - index - plan.down, BLOCK.length - index);
}

/** The client of one connection, from its first byte to its last. @throws when anything is not as planned */
export async function visit(proxyPort: number, key: string, targetPort: number, planned: Visit): Promise<void> {
  const { plan } = planned;
  const client = new RawClient(proxyPort);
  try {
    const messages = handshake(plan.protocol, key, targetPort);
    if (plan.reset !== undefined && 'message' in plan.reset) {
      await resetWithin(client, messages, plan.reset.message, plan.reset.when);
      return;
    }
    const payload = plan.reset?.when === 'OPENED' ? Buffer.alloc(0) : upload(planned);
    const early = payload.subarray(0, plan.early ?? 0);
    if (plan.early === undefined) await open(client, messages);
    else await openAtOnce(client, messages, early);
    if (plan.reset?.when === 'OPENED') client.socket.resetAndDestroy();
    else await exchange(client, planned, payload.subarray(early.length), Math.max(0, NUMBER_BYTES - early.length));
  } finally {
    client.socket.destroy();
  }
}

async function resetWithin(
  client: RawClient,
  messages: readonly Message[],
  last: number,
  when: 'BEFORE' | 'WITHIN' | 'BEHIND',
): Promise<void> {
  if (client.socket.connecting) await once(client.socket, 'connect');
  await open(client, messages.slice(0, last));
  const bytes = messages[last]?.bytes ?? Buffer.alloc(0);
  const length = { BEFORE: 0, WITHIN: Math.floor(bytes.length / 2), BEHIND: bytes.length }[when];
  await new Promise((resolve) => client.socket.write(bytes.subarray(0, length), resolve));
  client.socket.resetAndDestroy();
}

async function open(client: RawClient, messages: readonly Message[]): Promise<void> {
  for (const message of messages) {
    client.send(message.bytes);
    await takeAnswer(client, message);
  }
}

async function openAtOnce(client: RawClient, messages: readonly Message[], early: Buffer): Promise<void> {
  client.send(...messages.map(({ bytes }) => bytes), early);
  for (const message of messages) await takeAnswer(client, message);
}

async function takeAnswer(client: RawClient, { answer, answerBytes }: Message): Promise<void> {
  const taken = await client.take(answerBytes);
  if (!taken.subarray(0, answer.length).equals(answer)) throw new Error(`refused: ${taken.toString('latin1')}`);
}

/** @param rest what is still to be sent. @param ahead bytes of it that the target waits for, whoever comes first */
async function exchange(client: RawClient, planned: Visit, rest: Buffer, ahead: number): Promise<void> {
  const { plan, arrived, complete } = planned;
  const ends = plan.reset === undefined;
  client.socket.write(rest.subarray(0, ahead));
  const send = (): Promise<void> =>
    write(client.socket, rest.subarray(ahead), plan.slow.includes('CLIENT_WRITES'), ends);
  const receive = async (): Promise<void> => {
    if (plan.slow.includes('CLIENT_READS')) readSlowly(client.socket);
    arrived.down = same(await (ends ? client.rest() : client.take(plan.down)), download(planned));
    planned.progress();
  };
  await inOrder(plan.first === 'BOTH' ? undefined : plan.first === 'CLIENT', send, receive);
  await complete;
  if (plan.reset?.by === 'CLIENT') client.socket.resetAndDestroy();
  else if (!ends) await client.over;
}

/** The target of every connection. @throws when anything is not as planned */
export async function serve(side: RawSocket, visits: readonly Visit[]): Promise<void> {
  const number = await side.take(NUMBER_BYTES).catch(() => undefined);
  // Whoever resets before that has sent nothing; given up while it was dialled, this connection ends without a reset.
  if (number === undefined) return void side.socket.destroy();
  const planned = visits[number.readUInt32BE()];
  if (planned === undefined) throw new Error(`no connection ${number.toString('hex')}`);
  const { plan, arrived, complete } = planned;
  const ends = plan.reset === undefined;
  const expected = upload(planned).subarray(NUMBER_BYTES);
  const send = (): Promise<void> => write(side.socket, download(planned), plan.slow.includes('TARGET_WRITES'), ends);
  const receive = async (): Promise<void> => {
    if (plan.slow.includes('TARGET_READS')) readSlowly(side.socket);
    arrived.up = NUMBER_BYTES + same(await (ends ? side.rest() : side.take(expected.length)), expected);
    planned.progress();
  };
  await inOrder(plan.first === 'BOTH' ? undefined : plan.first === 'TARGET', send, receive);
  if (plan.reset?.by !== 'TARGET') return;
  await complete;
  side.socket.resetAndDestroy();
}

async function inOrder(
  sendsFirst: boolean | undefined,
  send: () => Promise<void>,
  receive: () => Promise<void>,
): Promise<void> {
  if (sendsFirst === undefined) await Promise.all([send(), receive()]);
  else if (sendsFirst) await send().then(receive);
  else await receive().then(send);
}

/** @returns once all of it, and the end if there is one, is with the kernel */
async function write(socket: Socket, bytes: Buffer, slow: boolean, ends: boolean): Promise<void> {
  const piece = slow ? Math.ceil(bytes.length / WRITES) : bytes.length;
  for (let at = 0; at < bytes.length; at += piece) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + piece), resolve));
    if (slow) await delay(PAUSE_MS);
  }
  if (ends) await new Promise<void>((resolve) => socket.end(resolve));
}

function readSlowly(socket: Socket): void {
  let left = PAUSES;
  socket.on('data', () => {
    if (left === 0) return;
    left -= 1;
    socket.pause();
    setTimeout(() => socket.resume(), PAUSE_MS);
  });
}

/** @returns how many bytes they are. @throws when they are others */
function same(bytes: Buffer, expected: Buffer): number {
  const [one, other] = [bytes, expected].map((all) => createHash('sha1').update(all).digest('hex'));
  if (one !== other) throw new Error(`${bytes.length} bytes with SHA-1 ${one} instead of ${expected.length}, ${other}`);
  return bytes.length;
}
