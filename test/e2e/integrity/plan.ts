import { GREETING, login, request } from '../../harness/socksMessages.ts';
import type { Random } from '../../simulation/random.ts';
import type { Product } from '../../../src/units.ts';

/** Where a connection is reset: by the client within a handshake, or by either side when all bytes have arrived. */
export type Reset =
  | { readonly by: 'CLIENT'; readonly message: number; readonly when: 'BEFORE' | 'WITHIN' | 'BEHIND' }
  /** Before any payload. */
  | { readonly by: 'CLIENT'; readonly when: 'OPENED' }
  | { readonly by: 'CLIENT' | 'TARGET'; readonly when: 'ARRIVED' };

/** What one connection does; client and target both know it by its number, which the client sends first. */
export interface Plan {
  readonly product: Exclude<Product, 'BROWSER'>;
  readonly protocol: 'SOCKS' | 'HTTP';
  /** Payload bytes, the number of the connection included. */
  readonly up: number;
  readonly down: number;
  /** Payload bytes that the client sends with its request, all messages in one packet; undefined: one after the other. */
  readonly early: number | undefined;
  /** Who ends its side first: the other one sends only behind that; or both send at once. */
  readonly first: 'CLIENT' | 'TARGET' | 'BOTH';
  readonly slow: readonly Slow[];
  readonly reset: Reset | undefined;
}

export type Slow = 'CLIENT_READS' | 'CLIENT_WRITES' | 'TARGET_READS' | 'TARGET_WRITES';

/** A message of a handshake, how its answer begins, and how long that is. */
export interface Message {
  readonly bytes: Buffer;
  readonly answer: Buffer;
  readonly answerBytes: number;
}

/** The number of a connection. */
export const NUMBER_BYTES = 4;
/** Of 1 byte to 1 MiB, small sizes as often as large ones. */
const MAX_SIZE_BITS = 20;
const SLOW: readonly Slow[] = ['CLIENT_READS', 'CLIENT_WRITES', 'TARGET_READS', 'TARGET_WRITES'];
const OPENED = 'HTTP/1.1 200 Connection established\r\n\r\n';

/** The steps of both protocols at which a connection can be reset. */
const RESETS = { SOCKS: resets(3), HTTP: resets(1) };

function resets(messages: number): readonly Reset[] {
  const within = Array.from({ length: messages }, (_, message) =>
    (['BEFORE', 'WITHIN', 'BEHIND'] as const).map((when) => ({ by: 'CLIENT' as const, message, when })),
  );
  const opened = { by: 'CLIENT', when: 'OPENED' } as const;
  return [...within.flat(), opened, { by: 'CLIENT', when: 'ARRIVED' }, { by: 'TARGET', when: 'ARRIVED' }];
}

/** @param index every third connection is reset, at one step after the other */
export function drawPlan(random: Random, index: number): Plan {
  const protocol = index % 2 === 0 ? 'SOCKS' : 'HTTP';
  const steps = RESETS[protocol];
  const up = NUMBER_BYTES + size(random);
  return {
    product: random.pick(['SHARED', 'DEDICATED']),
    protocol,
    up,
    down: size(random),
    early: random.chance(0.5) ? random.int(0, up) : undefined,
    first: random.pick(['CLIENT', 'TARGET', 'BOTH']),
    slow: SLOW.filter(() => random.chance(0.15)),
    reset: index % 3 === 0 ? steps[Math.floor(index / 6) % steps.length] : undefined,
  };
}

const size = (random: Random): number => Math.floor(2 ** (random.next() * MAX_SIZE_BITS));

export function handshake(protocol: Plan['protocol'], key: string, port: number): Message[] {
  if (protocol === 'HTTP') {
    const credentials = Buffer.from(`${key}:x`).toString('base64');
    const head = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`;
    return [{ bytes: Buffer.from(head), answer: Buffer.from(OPENED), answerBytes: OPENED.length }];
  }
  return [
    { bytes: Buffer.from(GREETING), answer: Buffer.of(5, 2), answerBytes: 2 },
    { bytes: login(key, 'x'), answer: Buffer.of(1, 0), answerBytes: 2 },
    { bytes: request(port), answer: Buffer.of(5, 0), answerBytes: 10 },
  ];
}
