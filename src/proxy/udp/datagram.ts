import { decodeTarget, encodePeer, MalformedMessage } from '../socks5.ts';

/** Bytes before the address: two reserved ones, which are 0, and the number of the fragment (RFC 1928, section 7). */
const PREFIX = [0, 0, 0];

/** A datagram between client and proxy, taken apart. */
export interface Datagram {
  /** Name, IPv4 or IPv6 literal. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Part of what was decoded: not a copy. */
  readonly payload: Buffer;
}

/**
 * Takes a datagram of a client apart (RFC 1928, section 7).
 * @returns undefined when it is malformed, or a fragment: those may be dropped, and nobody sends them
 */
export function decodeDatagram(bytes: Buffer): Datagram | undefined {
  if (PREFIX.some((byte, index) => bytes[index] !== byte)) return undefined;
  try {
    const target = decodeTarget(bytes, PREFIX.length);
    if (target === undefined || target.port === 0) return undefined;
    const { host, port, end } = target;
    return { host, port, payload: bytes.subarray(end) };
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}

/** What stands before the payload of a datagram: who sent it, or where it is to go. @param address IP literal */
export function encodeHeader(address: string, port: number): Uint8Array {
  return Uint8Array.of(...PREFIX, ...encodePeer(address, port));
}
