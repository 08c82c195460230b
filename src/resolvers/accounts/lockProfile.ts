import { sql, type Sql } from '../../database/sql.ts';

const LOCK = sql('userLock', 'select 1 from users where id = $1 for no key update');

/**
 * Until the transaction ends nobody else does to a user what takes this lock first: keys, passwords and links that reset
 * them come one after another. A statement of its own: what comes after it sees what whoever held it before has done.
 */
export async function lockProfile(tx: Sql, userId: bigint): Promise<void> {
  await tx.query(LOCK, [userId]);
}
