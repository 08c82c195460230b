import { lookupHash, seal, type Keyring } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';
import type { Limits } from '../ledger/limits.ts';
import { openKey } from '../ledger/open.ts';
import { reloadKey } from './findApiKey.ts';
import type { KeyRow } from './rows.ts';

const PROFILE = sql(
  'apiKeyInsert',
  'insert into api_key_profile (user_id, name, prefix) values ($1, $2, $3) returning id',
);
const SECRET = sql('apiKeySecretInsert', 'insert into api_key_secret (lookup, key_id, ciphertext) values ($1, $2, $3)');

/** Characters of a secret that stay visible. */
const PREFIX_LENGTH = 8;

/** What lists show of a secret. */
export function prefixOf(secret: string): string {
  return secret.slice(0, PREFIX_LENGTH);
}

/** What the ciphertext of a key's secret is bound to, so that it cannot be moved to another key. */
export function sealContext(keyId: bigint): string {
  return `api-key:${keyId}`;
}

/** Makes a secret open a key: found by HMAC, recoverable through AES-256-GCM. */
export async function insertSecret(tx: Sql, keys: Keyring, keyId: bigint, secret: string): Promise<void> {
  await tx.query(SECRET, [lookupHash(keys, secret), keyId, seal(keys.recovery, secret, sealContext(keyId))]);
}

export interface NewKey {
  readonly userId: bigint;
  readonly name: string;
  readonly secret: string;
  readonly limits: Limits;
}

/** Creates a key with its counters and secret, in the caller's transaction. */
export async function insertApiKey(tx: Sql, keys: Keyring, { userId, name, secret, limits }: NewKey): Promise<KeyRow> {
  const [row] = await tx.query<{ id: bigint }>(PROFILE, [userId, name, prefixOf(secret)]);
  if (row === undefined) throw new Error('the key was not inserted');
  await openKey(tx, row.id, userId, limits);
  await insertSecret(tx, keys, row.id, secret);
  return reloadKey(tx, { id: row.id, userId });
}
