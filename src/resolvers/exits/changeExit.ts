import type { ExitState, ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { productNumber } from '../../units.ts';
import { audit, type AuditRecord } from '../audit/record.ts';
import { transaction, type Publish } from '../transaction.ts';

/** An exit by which it is found in the database. */
export type ExitPlace = Pick<ExitState, 'product' | 'label' | 'name'>;

/** The row of an exit, as somebody holds it who changes it. */
export interface LockedExit {
  readonly id: bigint;
  /** It was added by an operator, not configured. */
  readonly added: boolean;
  readonly drained: boolean;
}

// Also the lock: acts on exits wait for each other, over all instances.
const LOCK = sql('exitsLock', 'select version from exit_version for update');
const CHANGED = sql('exitsChanged', 'update exit_version set version = version + 1');

/** What is put on record of an act. */
export interface ExitAct {
  readonly action: Extract<AuditRecord['action'], `EXIT_${string}`>;
  readonly detail: NonNullable<AuditRecord['detail']>;
}

/**
 * Changes something about exits, for the operator, and then lets this instance obey.
 * @param work answers what it did; undefined: nothing had to be changed
 * @returns the exit as this instance has it now; undefined when it has none of that name, or could not read them: it
 *   obeys a moment later then, and what was changed is changed all the same
 */
export async function changeExit(
  ctx: ViewerContext,
  exit: ExitPlace,
  work: (tx: Sql) => Promise<ExitAct | undefined>,
): Promise<ExitState | undefined> {
  const acted = await transaction(ctx, async (tx, publish) => {
    const act = await work(tx);
    if (act === undefined) return false;
    await exitsHaveChanged(tx, publish);
    const { action, detail } = act;
    const { product, label, name } = exit;
    await audit(tx, ctx, {
      accountId: ctx.viewer.userId,
      action,
      detail: { exit: name, product, label, ...detail },
    });
    return true;
  });
  try {
    await ctx.exits.refresh();
  } catch (error) {
    ctx.log.warn({ err: error, exit: exit.label }, 'an exit was changed, and the exits could not be read again yet');
    return undefined;
  }
  if (acted) warnIfNoneLeft(ctx, exit);
  return findByName(ctx, exit.name);
}

/** Customers without exits of their own are refused until there is one: trying again does not help them. */
function warnIfNoneLeft({ exits, log }: ViewerContext, { product, label }: ExitPlace): void {
  const isForEverybody = (exit: ExitState): boolean =>
    exit.product === product && !exit.drained && exit.accountIds.length === 0;
  if (!exits.list().some(isForEverybody))
    log.warn({ product, exit: label }, 'the product has no exit left that is for everybody and not drained');
}

/** To be called before the rows of exits are read or written, and after those of users. */
export async function lockExits(tx: Sql): Promise<void> {
  await tx.query(LOCK);
}

/** Lets every instance read the exits again. */
export async function exitsHaveChanged(tx: Sql, publish: Publish): Promise<void> {
  await tx.query(CHANGED);
  publish('exitsChanged', { at: new Date() });
}

/**
 * The exit of this name, as this instance has it.
 * @throws AppError NOT_FOUND
 */
export async function requireExit({ exits }: Pick<ViewerContext, 'exits'>, name: string): Promise<ExitState> {
  // Another instance may have added it a moment ago.
  await exits.refresh();
  const exit = findByName({ exits }, name);
  if (exit === undefined) throw new AppError('NOT_FOUND');
  return exit;
}

function findByName({ exits }: Pick<ViewerContext, 'exits'>, name: string): ExitState | undefined {
  return exits.list().find((each) => each.name === name);
}

const KEEP = sql(
  'exitKeep',
  'insert into proxy_exit (product, label) values ($1, $2) on conflict (product, label) do nothing',
);
const FIND = sql(
  'exitFind',
  'select id, spec is not null as added, drained from proxy_exit where product = $1 and label = $2',
);

/** The row of an exit; undefined when nothing was ever said about it. The caller holds the lock of the exits. */
export async function findExit(
  tx: Sql,
  { product, label }: Pick<ExitPlace, 'product' | 'label'>,
): Promise<LockedExit | undefined> {
  return (await tx.query<LockedExit>(FIND, [productNumber(product), label]))[0];
}

/**
 * Locks the exits and finds the row of one, made if it is configured and nothing was said about it before.
 * @throws AppError NOT_FOUND when it was an added one and has been removed meanwhile
 */
export async function lockExit(tx: Sql, { product, label, origin }: ExitState): Promise<LockedExit> {
  await lockExits(tx);
  if (origin === 'CONFIGURED') await tx.query(KEEP, [productNumber(product), label]);
  const row = await findExit(tx, { product, label });
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}
