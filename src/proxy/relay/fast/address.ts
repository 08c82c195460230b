import { isIPv6 } from 'node:net';

import { addressOf, parseAddress, textOf } from '../../../addresses.ts';
import { K } from './syscalls.ts';

/** Room for the larger of the two families. */
export const SOCKADDR_BYTES = 28;

/** An address as the kernel takes it (ip(7), ipv6(7)): `struct sockaddr_in` or `sockaddr_in6`. */
export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
}

/**
 * @param address IP literal. A mapped one (`::ffff:1.2.3.4`) is dialled as the IPv4 address it stands for
 * @throws RangeError when it is none
 */
export function encodeAddress(address: string, port: number): SocketAddress {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new RangeError(`not an address: ${address}`);
  const host = parsed.toByteArray();
  const family = host.length === 4 ? K.AF_INET : K.AF_INET6;
  const bytes = Buffer.alloc(family === K.AF_INET ? 16 : SOCKADDR_BYTES);
  bytes.writeUInt16LE(family, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(host, family === K.AF_INET ? 4 : 8);
  return { family, bytes };
}

/** Like `encodeAddress`, but an IPv6 literal stays one: for a socket that listens. */
export function encodeListener(address: string, port: number): SocketAddress {
  const encoded = encodeAddress(address, port);
  if (!isIPv6(address) || encoded.family === K.AF_INET6) return encoded;
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  bytes.writeUInt16LE(K.AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.fill(0xff, 18, 20);
  bytes.set(encoded.bytes.subarray(4, 8), 20);
  return { family: K.AF_INET6, bytes };
}

/** The literal address and port in what the kernel filled in; mapped addresses as IPv4. */
export function decodeAddress(bytes: Buffer): { readonly address: string; readonly port: number } {
  const four = bytes.readUInt16LE(0) === K.AF_INET;
  const host = four ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  return { address: four ? host.join('.') : textOf(addressOf([...host])), port: bytes.readUInt16BE(2) };
}
