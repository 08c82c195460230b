import { sql, type Sql } from '../../database/sql.ts';
import type { Publish } from '../transaction.ts';
import { exitsHaveChanged, lockExits } from './changeExit.ts';

const HAS = sql('exitsOfAccount', 'select 1 as has from exit_account where account_id = $1 limit 1');
const GIVE = sql(
  'exitsGive',
  `insert into exit_account (exit_id, account_id) select exit_id, $2::bigint from exit_account where account_id = $1
   on conflict (exit_id, account_id) do nothing`,
);
const TAKE = sql('exitsTake', 'delete from exit_account where account_id = $1');

/**
 * Reserves for another account what was reserved for this one, which becomes part of it. In the caller's transaction,
 * which has locked both users.
 */
export async function moveExits(
  tx: Sql,
  publish: Publish,
  { from, into }: { readonly from: bigint; readonly into: bigint },
): Promise<void> {
  const [has] = await tx.query(HAS, [from]);
  if (has === undefined) return;
  await lockExits(tx);
  await tx.query(GIVE, [from, into]);
  await tx.query(TAKE, [from]);
  await exitsHaveChanged(tx, publish);
}
