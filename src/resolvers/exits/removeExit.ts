import type { ExitState, ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { changeExit, lockExit, requireExit } from './changeExit.ts';

const REMOVE = sql('exitRemove', 'delete from proxy_exit where id = $1');

/**
 * Takes away an exit that an operator had added. Connections through it go on, sessions move to another exit, and
 * accounts that have no other of their own leave through everybody's. For the operator.
 * @returns the exit as it last was
 * @throws AppError NOT_FOUND when there is no exit of that name; EXIT_IS_CONFIGURED
 */
export async function removeExit(ctx: ViewerContext, name: string): Promise<{ exit: ExitState }> {
  const exit = await requireExit(ctx, name);
  if (exit.origin === 'CONFIGURED') throw new AppError('EXIT_IS_CONFIGURED');
  await changeExit(ctx, exit, async (tx) => {
    const { id } = await lockExit(tx, exit);
    await tx.query(REMOVE, [id]);
    return { action: 'EXIT_REMOVED', detail: {} };
  });
  return { exit };
}
