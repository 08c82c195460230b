/**
 * The grammar of a proxy username: an API key, and flags behind it. The same for SOCKS5 and HTTP.
 *
 *     username = key *( "-" flag )            ; at most 255 bytes (RFC 1929, section 2)
 *     key      = 1*( ALPHA / DIGIT / "_" )
 *     flag     = "session-" session / "ttl-" duration
 *     session  = 1*64( ALPHA / DIGIT / "_" )
 *     duration = nonzero *4DIGIT ( "s" / "m" / "h" )    ; 1s to 24h
 *     nonzero  = %x31-39                                ; 1 to 9
 *
 * Flags come in any order, each at most once; `ttl` only with `session`. Names are lower case, a
 * session is case-sensitive. Connections of a key with the same session leave through the same
 * exit, until `ttl` after the first of them (10 minutes when it is absent).
 */
export interface UsernameFlags {
  readonly session?: StickySession;
}

/** Connections that want to leave through the same exit. */
export interface StickySession {
  readonly id: string;
  readonly ttlMs: number;
}

/** The key, and its flags or what is wrong with them; whose key it is has to be found first. */
export type ParsedUsername =
  { readonly key: string; readonly flags: UsernameFlags } | { readonly key: string; readonly fault: string };

const MAX_BYTES = 255;
const DEFAULT_TTL_MS = 600_000;
const MAX_TTL_MS = 86_400_000;
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const SESSION = /^\w{1,64}$/;
const DURATION = /^([1-9]\d{0,4})([smh])$/;
/** A name that may be repeated in a message. */
const NAME = /^[A-Za-z]{1,16}$/;

const NO_FLAGS: UsernameFlags = {};

export function parseUsername(username: string): ParsedUsername {
  const end = username.indexOf('-');
  const key = end < 0 ? username : username.slice(0, end);
  if (Buffer.byteLength(username) > MAX_BYTES) return { key, fault: `The username has more than ${MAX_BYTES} bytes.` };
  if (end < 0) return { key, flags: NO_FLAGS };
  const parts = username.slice(end + 1).split('-');
  const values = new Map<string, string>();
  for (let index = 0; index < parts.length; index += 2) {
    const name = parts[index] ?? '';
    const value = parts[index + 1];
    const fault = flagFault(name, value, values);
    if (fault !== undefined) return { key, fault };
    values.set(name, value ?? '');
  }
  const id = values.get('session');
  if (id === undefined) return { key, fault: 'The flag "ttl" needs the flag "session" beside it.' };
  return { key, flags: { session: { id, ttlMs: durationMs(values.get('ttl')) ?? DEFAULT_TTL_MS } } };
}

function flagFault(name: string, value: string | undefined, before: ReadonlyMap<string, string>): string | undefined {
  if (name !== 'session' && name !== 'ttl') {
    const what = NAME.test(name) ? `The flag "${name}"` : 'A flag';
    return `${what} of the username is unknown; there are "session" and "ttl".`;
  }
  if (before.has(name)) return `The flag "${name}" of the username is given twice.`;
  if (value === undefined) return `The flag "${name}" of the username has no value.`;
  if (name === 'session' && !SESSION.test(value)) {
    return 'The value of the flag "session" must be 1 to 64 letters, digits or underscores.';
  }
  if (name === 'ttl' && durationMs(value) === undefined) {
    return 'The value of the flag "ttl" must be a duration from 1s to 24h, such as 90s, 10m or 2h.';
  }
  return undefined;
}

function durationMs(text: string | undefined): number | undefined {
  const match = DURATION.exec(text ?? '');
  if (match === null) return undefined;
  const milliseconds = Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
  return milliseconds <= MAX_TTL_MS ? milliseconds : undefined;
}
