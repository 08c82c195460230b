import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { lockProfile } from './lockProfile.ts';

const LIVE = sql('accountIsLive', 'select 1 as live from account where id = $1 and merged_into is null');

/**
 * Locks a user who is about to change what is of its account alone: no merge comes between.
 * @throws AppError UNAUTHENTICATED when the account was merged into another while its last request was on the way
 */
export async function lockLiveAccount(tx: Sql, userId: bigint): Promise<void> {
  await lockProfile(tx, userId);
  const [live] = await tx.query(LIVE, [userId]);
  if (live === undefined) throw new AppError('UNAUTHENTICATED');
}
