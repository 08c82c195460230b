import { lookupHash, seal, type Keyring } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { KEY_SCOPES } from '../../keyRules.ts';
import type { Limits } from '../ledger/limits.ts';
import { openKey } from '../ledger/open.ts';
import { reloadKey } from './findApiKey.ts';
import type { Restrictions } from './restrictions.ts';
import type { KeyRow } from './rows.ts';

const PROFILE = sql(
  'apiKeyInsert',
  `insert into api_key_profile (user_id, name, prefix, scopes, expires_at, allowed_ips, products, show_targets)
   values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`,
);
const SECRET = sql(
  'apiKeySecretInsert',
  'insert into api_key_secret (lookup, key_id, ciphertext, prefix) values ($1, $2, $3, $4)',
);

/** Characters of a secret that stay visible. */
const PREFIX_LENGTH = 8;

/** What lists show of a secret. */
function prefixOf(secret: string): string {
  return secret.slice(0, PREFIX_LENGTH);
}

/** What the ciphertext of a key's secret is bound to, so that it cannot be moved to another key. */
export function sealContext(keyId: bigint): string {
  return `api-key:${keyId}`;
}

/** Makes a secret open a key: found by HMAC, recoverable through AES-256-GCM. */
async function insertSecret(tx: Sql, keys: Keyring, keyId: bigint, secret: string): Promise<void> {
  const sealed = seal(keys.recovery, secret, sealContext(keyId));
  await tx.query(SECRET, [lookupHash(keys, secret), keyId, sealed, prefixOf(secret)]);
}

const PREFIX = sql('apiKeyPrefix', 'update api_key_profile set prefix = $2 where id = $1');

/** Gives a key that exists a new secret, beside those it has. */
export async function giveSecret(tx: Sql, keys: Keyring, keyId: bigint, secret: string): Promise<void> {
  await insertSecret(tx, keys, keyId, secret);
  await tx.query(PREFIX, [keyId, prefixOf(secret)]);
}

export interface NewKey {
  readonly userId: bigint;
  readonly name: string;
  readonly secret: string;
  readonly limits: Limits;
  /** Absent: none. */
  readonly restrictions?: Restrictions;
}

/**
 * Creates a key with its counters and secret, in the caller's transaction.
 * @throws AppError UNAUTHENTICATED when the account has been merged into another
 */
export async function insertApiKey(tx: Sql, keys: Keyring, key: NewKey): Promise<KeyRow> {
  const { userId, name, secret, limits, restrictions = {} } = key;
  const { scopes = KEY_SCOPES, expiresAt = null, allowedIps = [], products = [], showTargets = false } = restrictions;
  const values = [userId, name, prefixOf(secret), scopes, expiresAt, allowedIps, products, showTargets];
  const [row] = await tx.query<{ id: bigint }>(PROFILE, values);
  if (row === undefined) throw new Error('the key was not inserted');
  const owner = await openKey(tx, row.id, userId, limits);
  // The account was merged into another while its last request was on the way.
  if (owner !== userId) throw new AppError('UNAUTHENTICATED');
  await insertSecret(tx, keys, row.id, secret);
  return reloadKey(tx, { id: row.id, userId });
}
