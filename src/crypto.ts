import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

/** Keys derived from MASTER_KEY (HKDF-SHA-256, RFC 5869), one per purpose. */
export interface Keyring {
  /** HMAC key under which API key secrets are looked up. */
  readonly lookup: Buffer;
  /** AES-256-GCM key of recoverable API key secrets. */
  readonly recovery: Buffer;
  /** HS256 key of session tokens. */
  readonly sessions: Buffer;
  /** HMAC key that refresh tokens are made with. */
  readonly refresh: Buffer;
  /** HMAC key that the signing secrets of webhooks are made with. */
  readonly webhooks: Buffer;
  /** AES-256-GCM key of the logins of exits that an operator added. */
  readonly exits: Buffer;
  /** HMAC key that the names of exits are made with. */
  readonly exitNames: Buffer;
}

/** @param master 32 bytes */
export function deriveKeys(master: Buffer): Keyring {
  const derive = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', `passerelle/${purpose}`, 32));
  return {
    lookup: derive('api-key-lookup'),
    recovery: derive('api-key-recovery'),
    sessions: derive('sessions'),
    refresh: derive('refresh-tokens'),
    webhooks: derive('webhook-secrets'),
    exits: derive('exit-logins'),
    exitNames: derive('exit-names'),
  };
}

/** A new `lpf` API key: 128 random bits. */
export function newApiKeySecret(): string {
  return `lpf_${randomBytes(16).toString('hex')}`;
}

/** A URL-safe token of 256 random bits. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Keys as OpenSSL wants them: made once, they need not be copied for every hash. */
const prepared = new WeakMap<Keyring, KeyObject>();

/** What an API key is found by: a stolen table does not reveal or verify keys without MASTER_KEY. */
export function lookupHash(keys: Keyring, secret: string): Buffer {
  let key = prepared.get(keys);
  if (key === undefined) prepared.set(keys, (key = createSecretKey(keys.lookup)));
  return createHmac('sha256', key).update(secret).digest();
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts with AES-256-GCM: iv ‖ tag ‖ ciphertext. `context` is authenticated, not stored. */
export function seal(key: Buffer, text: string, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]);
}

/** @throws when the bytes were changed or sealed under another key or context */
export function unseal(key: Buffer, sealed: Uint8Array, context: string): string {
  const bytes = Buffer.from(sealed);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
}
