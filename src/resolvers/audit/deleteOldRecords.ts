import { sql, type Sql } from '../../database/sql.ts';

/** What was done stays on record for so long; the database itself refuses to delete what is younger (`audit_kept`). */
export const AUDIT_KEPT_DAYS = 400;

// `now()`, not the clock: what changes from row to row is looked up in no index, and the trigger goes by it too.
const DELETE = sql(
  'auditDeleteOld',
  `delete from audit_log where id in (
     select id from audit_log where at < now() - interval '${AUDIT_KEPT_DAYS} days'
     order by at limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Deletes what was done more than 400 days ago from the record, at most `limit`. @returns how many */
export async function deleteOldRecords(db: Sql, limit: number): Promise<number> {
  return (await db.query(DELETE, [limit])).length;
}
