import { isIPv6 } from 'node:net';

import type { Decoder } from './socks5.ts';

/** Bytes of a request up to its blank line. */
const MAX_HEAD_BYTES = 8_192;
const MAX_HEADERS = 100;
const END = '\r\n\r\n';

/** RFC 9110, section 5.6.2. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** RFC 9112, section 3: single spaces, no others. */
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/(\\d)\\.(\\d)$`);
/** RFC 9112, section 5: no space before the colon, no folded lines; RFC 9110, section 5.5: no control characters. */
const HEADER = new RegExp(`^(${TOKEN}):([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const BLANKS = ' \t';
/** RFC 9112, section 3.2.3: `uri-host ":" port`, both of them there. */
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;
/** RFC 7617, section 2; a token68 of RFC 9110, section 11.2. */
const BASIC = /^basic +([A-Za-z0-9+/_.~-]+=*)$/i;
/** Headers that a CONNECT may have once, because two of them could be read in two ways. */
const SINGLE = new Set(['host', 'proxy-authorization', 'content-length']);

/** What clients may do that is no CONNECT, and how it is answered (RFC 9110, section 15). */
export type HttpFault = 400 | 405 | 431 | 505;

/** A request that is not served; `explanation` is for who wrote the client. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
  readonly status: HttpFault;

  constructor(status: HttpFault, explanation: string) {
    super(explanation);
    this.status = status;
  }
}

/** A request for a tunnel (RFC 9110, section 9.3.6). */
export interface ConnectRequest {
  /** Name, IPv4 or IPv6 literal without brackets. */
  readonly host: string;
  readonly port: number;
  /** The user of `Proxy-Authorization: Basic`; undefined when there are no credentials that can be read. */
  readonly username: string | undefined;
  /** The client would rather be answered in JSON. */
  readonly wantsJson: boolean;
}

/** SOCKS5 begins with its version, HTTP with the upper-case letter of a method. The byte is not consumed. */
export const decodeProtocol: Decoder<'SOCKS' | 'HTTP'> = ([first]) => {
  if (first === undefined) return undefined;
  return { message: first >= 0x41 && first <= 0x5a ? 'HTTP' : 'SOCKS', length: 0 };
};

/**
 * A CONNECT request, up to its blank line; what is behind it belongs to the tunnel.
 * @throws MalformedRequest
 */
export const decodeConnect: Decoder<ConnectRequest> = (bytes) => {
  const end = bytes.subarray(0, MAX_HEAD_BYTES).indexOf(END);
  if (end < 0) {
    if (bytes.length < MAX_HEAD_BYTES) return undefined;
    throw new MalformedRequest(431, `The request has more than ${MAX_HEAD_BYTES} bytes before its blank line.`);
  }
  const lines = bytes.toString('latin1', 0, end).split('\r\n');
  if (lines.some((line) => line.includes('\n') || line.includes('\r'))) {
    throw new MalformedRequest(400, 'Lines end in CR LF; a CR or LF alone is not allowed.');
  }
  const [requestLine = '', ...headerLines] = lines;
  const { target, is11 } = readRequestLine(requestLine);
  const headers = readHeaders(headerLines);
  if (is11 && !headers.has('host')) throw new MalformedRequest(400, 'A request of HTTP/1.1 needs the header Host.');
  if (headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) !== 0) {
    throw new MalformedRequest(400, 'A CONNECT request has no content.');
  }
  return {
    message: {
      ...readAuthority(target),
      username: readUsername(headers.get('proxy-authorization')),
      wantsJson: /\bapplication\/json\b/i.test(headers.get('accept') ?? ''),
    },
    length: end + END.length,
  };
};

function readRequestLine(line: string): { readonly target: string; readonly is11: boolean } {
  const [, method, target = '', major, minor] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined) throw new MalformedRequest(400, 'The request line is not "CONNECT host:port HTTP/1.1".');
  if (major !== '1') throw new MalformedRequest(505, 'The proxy speaks HTTP/1.1, and SOCKS5.');
  if (method !== 'CONNECT') {
    throw new MalformedRequest(
      405,
      'Only the method CONNECT is served here: ask for a tunnel, for http:// URLs too (curl: --proxytunnel), or use SOCKS5 on this port.',
    );
  }
  return { target, is11: minor !== '0' };
}

function readHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  if (lines.length > MAX_HEADERS) throw new MalformedRequest(431, `The request has more than ${MAX_HEADERS} headers.`);
  const headers = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    if (name === undefined) throw new MalformedRequest(400, `Header ${index + 1} is malformed.`);
    const key = name.toLowerCase();
    const text = withoutBlanks(value);
    const before = headers.get(key);
    if (before !== undefined && SINGLE.has(key)) throw new MalformedRequest(400, `The header ${name} is there twice.`);
    // RFC 9110, section 5.3.
    headers.set(key, before === undefined ? text : `${before}, ${text}`);
  }
  return headers;
}

/** Without spaces and tabs around it (RFC 9110, section 5.5); `trim` knows others, and a pattern takes its time. */
function withoutBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && BLANKS.includes(value.charAt(start))) start++;
  while (end > start && BLANKS.includes(value.charAt(end - 1))) end--;
  return value.slice(start, end);
}

function readAuthority(target: string): { readonly host: string; readonly port: number } {
  const [, six, name = '', port] = AUTHORITY.exec(target) ?? [];
  const host = six ?? name;
  if (host === '' || (six !== undefined && !isIPv6(six))) {
    throw new MalformedRequest(400, 'The target of CONNECT must be host:port, an IPv6 address in brackets.');
  }
  if (Number(port) < 1 || Number(port) > 65_535) throw new MalformedRequest(400, 'The port must be 1 to 65535.');
  return { host, port: Number(port) };
}

/** What is before the first colon; the password is not looked at, and may be missing with its colon. */
function readUsername(authorization: string | undefined): string | undefined {
  const encoded = BASIC.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [username = ''] = Buffer.from(encoded, 'base64').toString('latin1').split(':', 1);
  return username === '' ? undefined : username;
}
