import { isIP } from 'node:net';

import { cidrText, normalAddress, parseCidr, UNSPECIFIED } from '../../addresses.ts';

/** How to log in to an upstream proxy. */
export interface UpstreamLogin {
  readonly username: string;
  readonly password: string;
}

/** A way out to the internet, as configured. */
export type ExitSpec =
  | { readonly kind: 'DIRECT'; readonly label: string }
  /** `address`: literal of this machine to dial from. */
  | { readonly kind: 'BIND'; readonly label: string; readonly address: string }
  | UpstreamSpec;

/** Another proxy that dials for us. */
export interface UpstreamSpec {
  readonly kind: 'SOCKS5' | 'HTTP';
  /** As configured, without the password: it is the name of the exit everywhere. */
  readonly label: string;
  /** Name or IP literal. */
  readonly host: string;
  readonly port: number;
  readonly login: UpstreamLogin | undefined;
}

/** Exits of one pool. */
export const MAX_EXITS = 1_000;
/** Length of a username or password (RFC 1929, section 2). */
const MAX_LOGIN_BYTES = 255;
const UPSTREAM = /^(socks5|http):\/\/(?:([^@/]*)@)?([^@/]+?)\/?$/;
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?):(\d{1,5})$/;
const CONTROL = /\p{Cc}/u;

/**
 * Reads `EXITS_SHARED` or `EXITS_DEDICATED`: a comma list of `direct`, `bind:IP`,
 * `socks5://user:password@host:port` and `http://user:password@host:port`. Usernames and passwords
 * are percent-encoded where they hold one of `%:@/,`.
 * @returns the faults when there are any, each of them naming its entry by number, none with a password
 */
export function parseExits(
  text: string,
): { readonly exits: readonly [ExitSpec, ...ExitSpec[]] } | { readonly faults: readonly string[] } {
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.length > MAX_EXITS) return { faults: [`must have at most ${MAX_EXITS} exits`] };
  const faults: string[] = [];
  const exits: ExitSpec[] = [];
  for (const [index, entry] of entries.entries()) {
    const exit = parseExit(entry);
    const known = typeof exit === 'string' ? -1 : exits.findIndex(({ label }) => label === exit.label);
    const fault = typeof exit === 'string' ? exit : known >= 0 ? 'is there twice' : undefined;
    if (fault !== undefined) faults.push(`entry ${index + 1} ${fault}`);
    else if (typeof exit !== 'string') exits.push(exit);
  }
  const [first, ...rest] = exits;
  return faults.length > 0 || first === undefined ? { faults } : { exits: [first, ...rest] };
}

/** @returns what is wrong with it, when something is */
function parseExit(entry: string): ExitSpec | string {
  if (entry === 'direct') return { kind: 'DIRECT', label: 'direct' };
  if (entry.startsWith('bind:')) {
    const address = normalAddress(entry.slice('bind:'.length).replace(/^\[(.*)\]$/, '$1'));
    if (address === undefined) return 'must be `bind:` and an IPv4 or IPv6 address of this machine';
    if (UNSPECIFIED.has(address))
      return 'must name one address of this machine behind `bind:`; use `direct` for any of them';
    return { kind: 'BIND', label: `bind:${cidrText(parseCidr(address))}`, address };
  }
  const [, scheme, userinfo, authority = ''] = UPSTREAM.exec(entry) ?? [];
  if (scheme === undefined) {
    return entry === ''
      ? 'is empty'
      : 'must be `direct`, `bind:IP`, `socks5://user:password@host:port` or `http://user:password@host:port`';
  }
  const [, bracketed = '', port = ''] = HOST_AND_PORT.exec(authority) ?? [];
  const host = bracketed.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const isLiteral = bracketed.startsWith('[');
  if (host === '' || (isLiteral && isIP(host) !== 6))
    return 'must end in a host and a port, such as proxy.example:1080';
  if (Number(port) < 1 || Number(port) > 65_535) return 'must have a port from 1 to 65535';
  const login = userinfo === undefined ? undefined : parseLogin(userinfo);
  if (typeof login === 'string') return login;
  const at = `${isLiteral ? `[${host}]` : host}:${Number(port)}`;
  const who = login === undefined ? '' : `${encodeURIComponent(login.username)}@`;
  const kind = scheme === 'socks5' ? 'SOCKS5' : 'HTTP';
  return { kind, label: `${scheme}://${who}${at}`, host, port: Number(port), login };
}

function parseLogin(userinfo: string): UpstreamLogin | string {
  const parts = userinfo.split(':');
  if (parts.length > 2) return 'must have a `:` within its username or password written as %3A';
  let username: string;
  let password: string;
  try {
    [username = '', password = ''] = parts.map(decodeURIComponent);
  } catch {
    return 'must have a `%` within its username or password written as %25';
  }
  if (username === '') return 'must have a username before the `@`, or no `@`';
  for (const text of [username, password]) {
    if (Buffer.byteLength(text) > MAX_LOGIN_BYTES)
      return `must have ${MAX_LOGIN_BYTES} bytes of username and password at most`;
    if (CONTROL.test(text)) return 'must not have control characters in its username or password';
  }
  // RFC 7617, section 2: the first colon ends the username.
  return username.includes(':') ? 'must have no `:` in its username' : { username, password };
}
