import type { ExitState, ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { changeExit, lockExit, requireExit } from './changeExit.ts';

/** Accounts that one exit may be reserved for. */
export const MAX_ACCOUNTS = 1_000;

// In order, as everybody locks them who takes several; a merge waits, or is seen.
const LOCK_USERS = sql(
  'exitLockUsers',
  `select u.id from users u join account a on a.id = u.id
   where u.id = any($1::bigint[]) and a.status <> 2 order by u.id for no key update of u`,
);
const CLEAR = sql(
  'exitAccountsClear',
  'delete from exit_account where exit_id = $1 and account_id <> all($2::bigint[])',
);
const FILL = sql(
  'exitAccountsInsert',
  `insert into exit_account (exit_id, account_id) select $1::bigint, n.id from unnest($2::bigint[]) as n (id)
   on conflict (exit_id, account_id) do nothing`,
);
const HELD = sql('exitAccounts', 'select account_id as id from exit_account where exit_id = $1 order by account_id');

/**
 * Users whom an exit is about to be reserved for, each once, ascending. No merge comes between.
 * @throws AppError NOT_FOUND when there is no such user, or it has been merged into another
 */
export async function lockOwners(tx: Sql, userIds: readonly bigint[]): Promise<readonly bigint[]> {
  const wanted = [...new Set(userIds)];
  if (wanted.length === 0) return [];
  const found = await tx.query<{ id: bigint }>(LOCK_USERS, [wanted]);
  if (found.length < wanted.length) throw new AppError('NOT_FOUND');
  return found.map(({ id }) => id);
}

/** Reserves an exit for these accounts alone; for everybody when there are none. */
export async function setOwners(tx: Sql, exitId: bigint, owners: readonly bigint[]): Promise<void> {
  await tx.query(CLEAR, [exitId, owners]);
  await tx.query(FILL, [exitId, owners]);
}

/**
 * Reserves an exit for accounts, which from then on leave through their own exits alone; without accounts it is
 * everybody's. Connections that are open go on. For the operator.
 * @throws AppError NOT_FOUND when there is no exit of that name, or no such user
 */
export async function assignExit(
  ctx: ViewerContext,
  name: string,
  userIds: readonly bigint[],
): Promise<{ exit: ExitState }> {
  const exit = await requireExit(ctx, name);
  const changed = await changeExit(ctx, exit, async (tx) => {
    const owners = await lockOwners(tx, userIds);
    const row = await lockExit(tx, exit);
    const held = (await tx.query<{ id: bigint }>(HELD, [row.id])).map(({ id }) => id);
    if (held.length === owners.length && held.every((id, index) => id === owners[index])) return undefined;
    await setOwners(tx, row.id, owners);
    return { action: 'EXIT_ASSIGNED', detail: { users: owners.map(String) } };
  });
  return { exit: changed ?? { ...exit, accountIds: [...new Set(userIds)] } };
}
