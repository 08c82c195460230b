import { sql, type SqlDatabase } from '../../database/sql.ts';

// Locked: whoever confirms one meanwhile, or signs up anew with its address, comes before or after.
const OLD = sql(
  'usersUnconfirmed',
  `select id from users u
   where not email_verified and wallet_address is null and created_at < clock_timestamp() - interval '7 days'
     and exists (select 1 from account a where a.id = u.id and a.merged_into is null and a.entry_no = 0)
     and not exists (select 1 from api_key_profile k where k.user_id = u.id)
     and not exists (select 1 from mail_token t where t.user_id = u.id and t.expires_at > clock_timestamp())
   order by id limit $1::int for update skip locked`,
);
const DELETE_ACCOUNTS = sql('accountsDelete', 'delete from account where id = any($1::bigint[])');
const DELETE_USERS = sql('usersDelete', 'delete from users where id = any($1::bigint[])');

/**
 * Deletes accounts whose e-mail address nobody confirmed within 7 days, at most `limit`, so that names and addresses
 * are free again. Never one that had credit, a key or a wallet. @returns how many
 */
export function deleteUnconfirmed(db: SqlDatabase, limit: number): Promise<number> {
  return db.transaction(async (tx) => {
    const ids = (await tx.query<{ id: bigint }>(OLD, [limit])).map(({ id }) => id);
    if (ids.length === 0) return 0;
    await tx.query(DELETE_ACCOUNTS, [ids]);
    await tx.query(DELETE_USERS, [ids]);
    return ids.length;
  });
}
