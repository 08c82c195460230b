import type { ExitState, ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { changeExit, lockExit, requireExit } from './changeExit.ts';

const DRAIN = sql('exitDrain', 'update proxy_exit set drained = $2 where id = $1');

/**
 * Lets an exit take no new connections, or take them again; those through it go on. For the operator.
 * @throws AppError NOT_FOUND when there is no exit of that name
 */
export async function drainExit(ctx: ViewerContext, name: string, drained: boolean): Promise<{ exit: ExitState }> {
  const exit = await requireExit(ctx, name);
  const changed = await changeExit(ctx, exit, async (tx) => {
    const row = await lockExit(tx, exit);
    if (row.drained === drained) return undefined;
    await tx.query(DRAIN, [row.id, drained]);
    return { action: 'EXIT_DRAINED', detail: { drained } };
  });
  return { exit: changed ?? { ...exit, drained } };
}
