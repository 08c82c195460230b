import { sql, type Sql } from '../../database/sql.ts';

// `now()`, not the clock: what changes from row to row is looked up in no index.
const DELETE = sql(
  'sessionsDeleteOver',
  `delete from session where id in (
     select id from session
     where least(revoked_at, expires_at) < now() - interval '30 days'
     order by least(revoked_at, expires_at) limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Deletes sessions that were over 30 days ago, at most `limit`. @returns how many */
export async function deleteOverSessions(db: Sql, limit: number): Promise<number> {
  return (await db.query(DELETE, [limit])).length;
}
