import { sql, type Sql } from '../../database/sql.ts';

// `now()`, not the clock: what changes from row to row is looked up in no index.
const DELETE = sql(
  'apiKeySecretsDeleteDead',
  `delete from api_key_secret where lookup in (
     select lookup from api_key_secret
     where expires_at < now() - interval '90 days'
     order by expires_at limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/**
 * Deletes secrets that were replaced and stopped working 90 days ago, at most `limit`: whoever still uses one was told
 * so for long enough, and is a stranger from now on. @returns how many
 */
export async function deleteDeadSecrets(db: Sql, limit: number): Promise<number> {
  return (await db.query(DELETE, [limit])).length;
}
