import type { ExitState, ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { MAX_EXITS, parseExits, type ExitSpec } from '../../proxy/exits/config.ts';
import { productNumber, type Product } from '../../units.ts';
import { lockOwners, setOwners } from './assignExit.ts';
import { changeExit, findExit, lockExits, type ExitPlace } from './changeExit.ts';
import { sealEntry } from './rows.ts';

const INSERT = sql(
  'exitInsert',
  `insert into proxy_exit (product, label, spec) values ($1, $2, $3)
   on conflict (product, label) do update set spec = excluded.spec, drained = false returning id`,
);
const COUNT = sql('exitCount', 'select count(*) as count from proxy_exit where product = $1 and spec is not null');

export interface NewExit {
  readonly product: Product;
  /** An entry of EXITS_*, password included. */
  readonly url: string;
  /** Accounts that it is reserved for from its first moment on; for everybody when there are none. */
  readonly userIds: readonly bigint[];
}

/**
 * Adds an exit to those that are configured, on every instance; for the operator. Its password is stored encrypted,
 * and never shown.
 * @throws AppError BAD_INPUT when it is no exit, or of the browser gateway; NAME_TAKEN when there is one like it,
 *   whatever its password; EXIT_LIMIT_REACHED; NOT_FOUND when there is no such user
 */
export async function addExit(ctx: ViewerContext, { product, url, userIds }: NewExit): Promise<{ exit: ExitState }> {
  if (product === 'BROWSER') throw new AppError('BAD_INPUT', { message: 'product: has no exits', field: 'product' });
  const entry = url.trim();
  const spec = specOf(entry);
  const { label } = spec;
  const place = { product, label, name: ctx.exits.name(product, label) };
  await ctx.exits.refresh();
  if (ctx.exits.list().some(({ name }) => name === place.name)) throw taken();
  const added = await changeExit(ctx, place, async (tx) => {
    const owners = await lockOwners(tx, userIds);
    await lockExits(tx);
    await requireRoom(tx, place);
    const sealed = sealEntry(ctx.keys, product, label, entry);
    const [row] = await tx.query<{ id: bigint }>(INSERT, [productNumber(product), label, sealed]);
    if (row === undefined) throw new Error('the exit was not inserted');
    await setOwners(tx, row.id, owners);
    return { action: 'EXIT_ADDED', detail: { users: owners.map(String) } };
  });
  return { exit: added ?? { ...place, ...UNUSED, kind: spec.kind, accountIds: [...new Set(userIds)] } };
}

/** What an instance knows of an exit that it has just got. */
const UNUSED = {
  origin: 'ADDED',
  state: 'HEALTHY',
  drained: false,
  connections: 0,
  opened: 0,
  failures: 0,
  lastError: undefined,
  latencyMs: undefined,
  retryAt: undefined,
} as const;

/** Nothing of the entry is in the message: it holds a password. */
function specOf(entry: string): ExitSpec {
  const parsed = parseExits(entry);
  const faults = 'faults' in parsed ? parsed.faults : parsed.exits.length > 1 ? ['must be one exit'] : [];
  const [fault] = faults;
  if (fault === undefined && 'exits' in parsed) return parsed.exits[0];
  throw new AppError('BAD_INPUT', { message: `url: ${(fault ?? '').replace(/^entry \d+ /, '')}`, field: 'url' });
}

async function requireRoom(tx: Sql, place: ExitPlace): Promise<void> {
  if ((await findExit(tx, place))?.added === true) throw taken();
  const [row] = await tx.query<{ count: bigint }>(COUNT, [productNumber(place.product)]);
  if (row !== undefined && row.count >= BigInt(MAX_EXITS)) throw new AppError('EXIT_LIMIT_REACHED');
}

function taken(): AppError {
  return new AppError('NAME_TAKEN', { message: 'The product has such an exit already.', field: 'url' });
}
