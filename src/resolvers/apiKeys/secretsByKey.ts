import { sql, type Sql } from '../../database/sql.ts';

/** A secret that opens an API key, without the secret. */
export interface SecretRow {
  /** First 8 characters. */
  readonly prefix: string;
  readonly createdAt: Date;
  /** When it stops working; null: it is the current one. */
  readonly expiresAt: Date | null;
}

const LIVE = sql(
  'apiKeySecretsLive',
  `select s.key_id, s.prefix, s.created_at as "createdAt", s.expires_at as "expiresAt"
   from api_key_secret s join api_key_profile k on k.id = s.key_id
   where s.key_id = any($1::bigint[]) and k.revoked_at is null
     and (s.expires_at is null or s.expires_at > clock_timestamp())
   order by s.expires_at desc nulls first, s.created_at desc`,
);

/** The secrets that open each of these keys now, the current one first; none for revoked keys. */
export async function secretsByKey(db: Sql, keyIds: readonly bigint[]): Promise<SecretRow[][]> {
  const rows = await db.query<SecretRow & { key_id: bigint }>(LIVE, [keyIds]);
  return keyIds.map((id) => rows.filter(({ key_id: keyId }) => keyId === id));
}
