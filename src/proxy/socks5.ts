import { isIPv6 } from 'node:net';

import { addressOf, parseAddress, textOf } from '../addresses.ts';

/** SOCKS version 5 (RFC 1928), and version 1 of its username/password sub-negotiation (RFC 1929). */
const VERSION = 5;
const AUTH_VERSION = 1;

/** Methods (RFC 1928, section 3). */
export const METHOD_PASSWORD = 0x02;

/** Commands (RFC 1928, section 4). */
export const COMMANDS = { CONNECT: 1, BIND: 2, UDP_ASSOCIATE: 3 } as const;

/** Reply codes (RFC 1928, section 6). */
export const REPLIES = {
  SUCCEEDED: 0,
  GENERAL_FAILURE: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  CONNECTION_REFUSED: 5,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_TYPE_NOT_SUPPORTED: 8,
} as const;
export type ReplyCode = (typeof REPLIES)[keyof typeof REPLIES];

const ADDRESS_TYPES = { IPV4: 1, DOMAIN: 3, IPV6: 4 } as const;

/** Letters, digits, hyphen, underscore and dots of names; colons and brackets of IPv6 literals that clients send as names. */
const HOST = /^[A-Za-z0-9._:[\]-]+$/;

/** A message that breaks the protocol; `reply` when the client is still owed a reply (RFC 1928, section 6). */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
  readonly reply: ReplyCode | undefined;

  constructor(message: string, reply?: ReplyCode) {
    super(message);
    this.reply = reply;
  }
}

/** A complete message and the bytes it took; undefined while it is incomplete. */
export type Decoded<Message> = { readonly message: Message; readonly length: number } | undefined;

/** Reads one message from the start of what was received. @throws MalformedMessage */
export type Decoder<Message> = (bytes: Buffer) => Decoded<Message>;

export interface Greeting {
  readonly methods: readonly number[];
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface Request {
  readonly command: number;
  /** Name, IPv4 or IPv6 literal. */
  readonly host: string;
  readonly port: number;
}

/** The client's first message (RFC 1928, section 3). */
export const decodeGreeting: Decoder<Greeting> = (bytes) => {
  const [version, count] = bytes;
  if (version === undefined) return undefined;
  if (version !== VERSION) throw new MalformedMessage(`version ${version} instead of ${VERSION}`);
  if (count === undefined || bytes.length < 2 + count) return undefined;
  return { message: { methods: [...bytes.subarray(2, 2 + count)] }, length: 2 + count };
};

/** Username and password (RFC 1929, section 2). Either may be empty: that is for who authenticates to judge. */
export const decodeCredentials: Decoder<Credentials> = (bytes) => {
  const [version, userLength] = bytes;
  if (version === undefined) return undefined;
  if (version !== AUTH_VERSION) throw new MalformedMessage(`authentication version ${version}`);
  if (userLength === undefined) return undefined;
  const passwordLength = bytes[2 + userLength];
  if (passwordLength === undefined) return undefined;
  const length = 3 + userLength + passwordLength;
  if (bytes.length < length) return undefined;
  const username = bytes.toString('latin1', 2, 2 + userLength);
  return { message: { username, password: bytes.toString('latin1', 3 + userLength, length) }, length };
};

/**
 * What the client wants (RFC 1928, section 4). The reserved byte is not judged.
 * @throws MalformedMessage with reply 08 for an unknown address type, 04 for a name that no host can have
 */
export const decodeRequest: Decoder<Request> = (bytes) => {
  const [version, command] = bytes;
  if (version === undefined) return undefined;
  if (version !== VERSION) throw new MalformedMessage(`version ${version}`, REPLIES.GENERAL_FAILURE);
  if (command === undefined) return undefined;
  const target = decodeTarget(bytes, 3);
  if (target === undefined) return undefined;
  const { host, port, end } = target;
  return { message: { command, host, port }, length: end };
};

/** Somewhere to go, as requests and datagrams hold it, and where it ends in them. */
export interface Target {
  /** Name, IPv4 or IPv6 literal. */
  readonly host: string;
  readonly port: number;
  readonly end: number;
}

/**
 * Reads address type, address and port (RFC 1928, sections 4 and 7) from a place in a message.
 * @returns undefined while they are incomplete
 * @throws MalformedMessage with reply 08 for an unknown address type, 04 for a name that no host can have
 */
export function decodeTarget(bytes: Buffer, at: number): Target | undefined {
  const type = bytes[at];
  if (type === undefined) return undefined;
  const start = at + 1;
  const size = addressSize(type, bytes[start]);
  if (size === undefined || bytes.length < start + size + 2) return undefined;
  const host = hostOf(type, bytes.subarray(start, start + size));
  return { host, port: bytes.readUInt16BE(start + size), end: start + size + 2 };
}

/** Bytes of DST.ADDR, the length byte of a name included; undefined while that byte is missing. */
function addressSize(type: number, first: number | undefined): number | undefined {
  if (type === ADDRESS_TYPES.IPV4) return 4;
  if (type === ADDRESS_TYPES.IPV6) return 16;
  if (type === ADDRESS_TYPES.DOMAIN) return first === undefined ? undefined : 1 + first;
  throw new MalformedMessage(`address type ${type}`, REPLIES.ADDRESS_TYPE_NOT_SUPPORTED);
}

function hostOf(type: number, bytes: Buffer): string {
  if (type === ADDRESS_TYPES.IPV4) return bytes.join('.');
  if (type === ADDRESS_TYPES.IPV6) return textOf(addressOf([...bytes]));
  const name = bytes.toString('latin1', 1);
  if (!HOST.test(name)) throw new MalformedMessage('not a host name', REPLIES.HOST_UNREACHABLE);
  return name;
}

/** Method 2 selected. */
export const SELECT_PASSWORD: Uint8Array = Uint8Array.of(VERSION, METHOD_PASSWORD);
/** None of the offered methods is acceptable; the client must close. */
export const NO_ACCEPTABLE_METHOD: Uint8Array = Uint8Array.of(VERSION, 0xff);
/** RFC 1929, section 2: 0 is success, anything else a failure, after which the connection is closed. */
export const AUTHENTICATED: Uint8Array = Uint8Array.of(AUTH_VERSION, 0);
export const NOT_AUTHENTICATED: Uint8Array = Uint8Array.of(AUTH_VERSION, 1);

/**
 * A reply (RFC 1928, section 6).
 * @param address the literal address from which the target was dialled; 0.0.0.0 when there is none
 */
export function encodeReply(code: ReplyCode, address = '0.0.0.0', port = 0): Uint8Array {
  return Uint8Array.of(VERSION, code, 0, ...encodePeer(address, port));
}

/** The bytes that `decodeTarget` reads. @param address IP literal; 0.0.0.0 stands for anything else */
export function encodePeer(address: string, port: number): number[] {
  const parsed = parseAddress(address);
  const bytes = parsed?.toByteArray() ?? [0, 0, 0, 0];
  const type = isIPv6(address) && bytes.length === 16 ? ADDRESS_TYPES.IPV6 : ADDRESS_TYPES.IPV4;
  return [type, ...bytes, port >> 8, port & 0xff];
}
