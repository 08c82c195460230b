import { createHmac, timingSafeEqual } from 'node:crypto';

import { jwtVerify, SignJWT } from 'jose';

import type { Keyring } from '../../crypto.ts';

const ISSUER = 'passerelle';
const AUDIENCE = 'passerelle:api';
const ALGORITHM = 'HS256';

export interface SessionClaims {
  readonly userId: bigint;
  readonly sessionId: string;
}

/** A session token (JWT, RFC 7519): names user (`sub`) and session row (`sid`). */
export function signToken(keys: Keyring, claims: SessionClaims, issuedAt: Date, expiresAt: Date): Promise<string> {
  return new SignJWT({ sid: claims.sessionId })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(claims.userId.toString())
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(keys.sessions);
}

const DIGITS = /^\d{1,19}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface VerifiedClaims extends SessionClaims {
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** The claims of a token of ours that has not expired; undefined for anything else. */
export async function verifyToken(keys: Keyring, token: string, now: Date): Promise<VerifiedClaims | undefined> {
  try {
    const options = { issuer: ISSUER, audience: AUDIENCE, algorithms: [ALGORITHM], currentDate: now };
    const { payload } = await jwtVerify(token, keys.sessions, { ...options, requiredClaims: ['exp', 'sub', 'sid'] });
    const { sub, sid, exp } = payload;
    if (sub === undefined || exp === undefined || typeof sid !== 'string' || !DIGITS.test(sub) || !UUID.test(sid))
      return undefined;
    return { userId: BigInt(sub), sessionId: sid, expiresAtMs: exp * 1000 };
  } catch {
    return undefined;
  }
}

const UUID_BYTES = 16;
const GENERATION_BYTES = 4;

/**
 * The refresh token of a session's generation: session id, generation and an HMAC over both. It is not
 * stored: whoever exchanges one generation at the same time as others gets the same next token.
 */
export function signRefreshToken(keys: Keyring, sessionId: string, generation: number): string {
  const payload = Buffer.alloc(UUID_BYTES + GENERATION_BYTES, sessionId.replaceAll('-', ''), 'hex');
  payload.writeUInt32BE(generation, UUID_BYTES);
  return Buffer.concat([payload, refreshSignature(keys, payload)]).toString('base64url');
}

/** What a refresh token says. */
export interface RefreshClaims {
  readonly sessionId: string;
  readonly generation: number;
}

const REFRESH_TOKEN = /^[\w-]{70}$/;

/** The claims of a refresh token of ours, whether it may still be exchanged or not; undefined for anything else. */
export function readRefreshToken(keys: Keyring, token: string): RefreshClaims | undefined {
  if (!REFRESH_TOKEN.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const payload = bytes.subarray(0, UUID_BYTES + GENERATION_BYTES);
  if (!timingSafeEqual(bytes.subarray(payload.length), refreshSignature(keys, payload))) return undefined;
  const sessionId = payload
    .toString('hex', 0, UUID_BYTES)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { sessionId, generation: payload.readUInt32BE(UUID_BYTES) };
}

function refreshSignature(keys: Keyring, payload: Buffer): Buffer {
  return createHmac('sha256', keys.refresh).update(payload).digest();
}
