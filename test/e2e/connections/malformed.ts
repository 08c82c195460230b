import { GREETING, login } from '../../harness/socksMessages.ts';
import type { Random } from '../../simulation/random.ts';

/** Whom the handshakes say they are, and what they ask for. */
export interface Wanted {
  readonly key: string;
  /** IPv4, within 127.0.0.0/8. */
  readonly address: string;
  readonly port: number;
}

/** Bytes of a handshake. */
interface Part {
  readonly bytes: Uint8Array;
  /** What one of them may become; anything when absent. */
  readonly may?: readonly number[];
}

/** In front of any other bytes these are no public address: no handshake leads out of the machine. */
const FIRST_OF_ADDRESS = [0, 10, 127, 224, 255];
/** What stands in no name. */
const NOT_OF_NAME = [0, 0x20, 0xff];
/** Nothing that a name server could be asked for. */
const OF_NUMBER = [...Buffer.from('0123456789.'), ...NOT_OF_NAME];
const FILLING_BYTES = 10_000;

/**
 * A handshake of SOCKS5 or HTTP CONNECT with a few wrong bytes, cut off somewhere, or with garbage behind it; now and
 * then none of these.
 */
export function malformed(random: Random, wanted: Wanted): Buffer {
  const parts = random.chance(0.7) ? socks(random, wanted) : http(wanted);
  const whole = Buffer.concat(parts.map(({ bytes }) => bytes));
  const may = parts.flatMap(({ bytes, may: choice }) => Array.from(bytes, () => choice));
  for (let count = random.int(0, 4); count > 0; count -= 1) {
    const at = random.int(0, whole.length - 1);
    const choice = may[at];
    whole[at] = choice === undefined ? random.int(0, 255) : random.pick(choice);
  }
  if (random.chance(0.1)) return Buffer.concat([whole, Buffer.alloc(random.int(1, FILLING_BYTES), random.int(0, 255))]);
  return random.chance(0.5) ? whole : whole.subarray(0, random.int(1, whole.length));
}

function socks(random: Random, { key, address, port }: Wanted): Part[] {
  const [first = 0, ...rest] = address.split('.').map(Number);
  const target: Part[] = random.chance(0.5)
    ? [{ bytes: Buffer.of(1) }, { bytes: Buffer.of(first), may: FIRST_OF_ADDRESS }, { bytes: Buffer.from(rest) }]
    : [{ bytes: Buffer.of(3, address.length) }, ...name(address)];
  return [
    { bytes: Buffer.from(GREETING) },
    { bytes: login(key, 'x') },
    { bytes: Buffer.of(5, 1, 0) },
    ...target,
    { bytes: Buffer.of(port >> 8, port & 0xff) },
  ];
}

function http({ key, address, port }: Wanted): Part[] {
  const credentials = Buffer.from(`${key}:x`).toString('base64');
  return [
    { bytes: Buffer.from('CONNECT ') },
    ...name(address),
    { bytes: Buffer.from(`:${port}`), may: OF_NUMBER },
    { bytes: Buffer.from(` HTTP/1.1\r\nHost: ${address}:${port}\r\nUser-Agent: stranger\r\nAccept: */*\r\n`) },
    { bytes: Buffer.from(`Proxy-Authorization: Basic ${credentials}\r\n\r\n`) },
  ];
}

/** Its first number stays, or it is no address at all. */
function name(address: string): Part[] {
  const end = address.indexOf('.') + 1;
  return [
    { bytes: Buffer.from(address.slice(0, end)), may: NOT_OF_NAME },
    { bytes: Buffer.from(address.slice(end)), may: OF_NUMBER },
  ];
}
