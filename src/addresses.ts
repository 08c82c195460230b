import { isIPv4, isIPv6 } from 'node:net';

import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** A parsed CIDR: network and prefix length. */
export type Cidr = readonly [Address, number];

/** The addresses that name nothing in particular (RFC 1122, RFC 4291), in their normal form. */
export const UNSPECIFIED: ReadonlySet<string> = new Set(['0.0.0.0', '0:0:0:0:0:0:0:0']);

/** Prefix under which IPv4 addresses are reached from IPv6-only networks (RFC 6052). */
const NAT64: readonly [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('64:ff9b::'), 96];

/** Bits before the IPv4 address in an IPv4-mapped IPv6 address. */
const MAPPED_BITS = 96;

/** @throws RangeError when the text is neither a CIDR nor an address */
export function parseCidr(text: string): Cidr {
  const [address = '', bits, ...more] = text.trim().split('/');
  const parsed = parseAddress(address);
  const widest = widestOf(parsed);
  const before = widest === 32 && address.includes(':') ? MAPPED_BITS : 0;
  const length = bits === undefined ? widest : /^\d{1,3}$/.test(bits) ? Number(bits) - before : -1;
  if (parsed === undefined || length < 0 || length > widest || more.length > 0)
    throw new RangeError(`not a CIDR: ${text}`);
  return [parsed, length];
}

/** The one text of a network: host bits cleared, IPv6 as RFC 5952 writes it, a single address without its length. */
export function cidrText([address, length]: Cidr): string {
  const bytes = address
    .toByteArray()
    .map((byte, index) => byte & (0xff00 >> Math.min(Math.max(length - index * 8, 0), 8)));
  const network = address instanceof ipaddr.IPv4 ? new ipaddr.IPv4(bytes) : new ipaddr.IPv6(bytes);
  const text = network instanceof ipaddr.IPv4 ? network.toString() : network.toRFC5952String();
  return length === widestOf(address) ? text : `${text}/${length}`;
}

function widestOf(address: Address | undefined): 32 | 128 {
  return address?.kind() === 'ipv4' ? 32 : 128;
}

/** Whether the network holds the address; networks of the other family never do. */
export function within(address: Address, [network, bits]: Cidr): boolean {
  if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits);
  return network instanceof ipaddr.IPv6 && address.match(network, bits);
}

/**
 * Parses a strict IPv4 or IPv6 literal; IPv4-mapped IPv6 (`::ffff:1.2.3.4`) becomes IPv4, because
 * that is where the packets go. Undefined for everything else, scoped addresses (`fe80::1%eth0`) included.
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return addressOf(bytesOf(text));
}

/** The text of a literal as it is compared and counted: IPv4-mapped IPv6 as IPv4. Undefined when it is no literal. */
export function normalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const address = parseAddress(text);
  return address === undefined ? undefined : textOf(address);
}

/** The address that 4 or 16 bytes in network order stand for. */
export function addressOf(bytes: readonly number[]): Address {
  if (bytes.length === 4) return new ipaddr.IPv4([...bytes]);
  const six = new ipaddr.IPv6([...bytes]);
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? new ipaddr.IPv4(bytes.slice(12)) : six;
}

/** 16 bytes of an IPv6 literal. `ipaddr.js` reads `::1.2.3.4` as if it were `::ffff:1.2.3.4`, so its dotted end goes first. */
function bytesOf(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted === null) return ipaddr.IPv6.parse(text).toByteArray();
  const [, head = '', ...parts] = dotted;
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
  return ipaddr.IPv6.parse(`${head}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`).toByteArray();
}

/** The IPv4 address inside a NAT64 address, which is where its packets end up. */
export function embedded(address: Address): ipaddr.IPv4 | undefined {
  const inside = address instanceof ipaddr.IPv6 && address.match(...NAT64);
  return inside ? new ipaddr.IPv4(address.toByteArray().slice(12)) : undefined;
}

/** IPv4 and IPv6 as text that `net.connect` takes literally. */
export function textOf(address: Address): string {
  return address.toNormalizedString();
}

/**
 * Reads IPv4 as the C resolver does (`inet_aton`): one to four parts, each decimal, octal (`0177`)
 * or hexadecimal (`0x7f`), the last filling the remaining bytes: `127.1`, `2130706433`, `0x7f000001`.
 * @returns null when the text ends in a number and so can be no name, yet is no address either;
 *   undefined when it is a name
 */
export function parseNumericHost(host: string): ipaddr.IPv4 | null | undefined {
  const parts = host.split('.');
  if (!/^(\d+|0[xX][0-9a-fA-F]*)$/.test(parts.at(-1) ?? '')) return undefined;
  const values = parts.map(parsePart);
  const last = values.pop() ?? NaN;
  const room = 2 ** (8 * (4 - values.length));
  const valid = values.length < 4 && values.every((value) => value < 256) && last < room;
  if (!valid) return null;
  const number = values.reduce((sum, value, index) => sum + value * 2 ** (8 * (3 - index)), last);
  return new ipaddr.IPv4([24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256));
}

/** NaN fails every comparison above. */
function parsePart(part: string): number {
  if (/^0[xX][0-9a-fA-F]+$/.test(part)) return Number.parseInt(part.slice(2), 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9]\d*$/.test(part) ? Number(part) : NaN;
}
