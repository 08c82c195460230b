import { sql, type Sql } from '../../database/sql.ts';

const UPSERT = sql(
  'credentialSetPassword',
  `insert into credential (user_id, kind, secret) values ($1, 'PASSWORD', $2)
   on conflict (user_id, kind) do update set secret = excluded.secret, updated_at = clock_timestamp()`,
);

/**
 * Gives a user a password, in place of the one there was.
 * @param passwordHash argon2id; made before the transaction, because it takes long
 */
export async function setPassword(tx: Sql, userId: bigint, passwordHash: string): Promise<void> {
  await tx.query(UPSERT, [userId, passwordHash]);
}
