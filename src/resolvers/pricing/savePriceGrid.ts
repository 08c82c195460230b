import type { ViewerContext } from '../../context.ts';
import { sql, sqlState, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { formatCredits } from '../../units.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { gridsById, type PriceGridRow, type PriceTierRow } from './grids.ts';

const INSERT = sql('priceGridInsert', 'insert into price_grid (name) values ($1) returning id');
// Also the lock: two who save one grid wait for each other.
const RENAME = sql('priceGridRename', 'update price_grid set name = $2 where id = $1 returning id');
const CLEAR = sql('priceTiersClear', 'delete from price_tier where grid_id = $1');
const FILL = sql(
  'priceTiersInsert',
  `insert into price_tier (grid_id, min_credits, rate)
   select $1::bigint, t.min_credits, t.rate from unnest($2::bigint[], $3::bigint[]) as t (min_credits, rate)`,
);

/** SQLSTATE unique_violation. */
const TAKEN = '23505';

export interface GridInput {
  /** null: a new grid. */
  readonly id: bigint | null;
  readonly name: string;
  /** Strictly ascending. */
  readonly tiers: readonly PriceTierRow[];
}

/**
 * Makes a price grid, or replaces name and tiers of one; for the operator. New prices hold from the next quote on.
 * @throws AppError BAD_INPUT when the tiers are not ascending; NOT_FOUND; NAME_TAKEN
 */
export async function savePriceGrid(
  ctx: ViewerContext,
  { id, name, tiers }: GridInput,
): Promise<{ grid: PriceGridRow }> {
  const minima = tiers.map(({ minCredits }) => minCredits);
  if (minima.some((minimum, index) => index > 0 && minimum <= (minima[index - 1] ?? 0n))) {
    const message = 'tiers: minCredits must differ and ascend';
    throw new AppError('BAD_INPUT', { message, field: 'tiers' });
  }
  return transaction(ctx, async (tx) => {
    const gridId = await saveName(tx, id, name);
    await tx.query(CLEAR, [gridId]);
    await tx.query(FILL, [gridId, minima, tiers.map(({ rate }) => rate)]);
    await audit(tx, ctx, {
      accountId: ctx.viewer.userId,
      action: 'PRICE_GRID_SAVED',
      detail: { gridId: gridId.toString(), name, tiers: tiers.map(tierText) },
    });
    const [grid] = await gridsById(tx, [gridId]);
    if (grid === undefined || grid instanceof Error) throw new Error('the price grid was saved but is not there');
    return { grid };
  });
}

async function saveName(tx: Sql, id: bigint | null, name: string): Promise<bigint> {
  try {
    const [row] =
      id === null ? await tx.query<{ id: bigint }>(INSERT, [name]) : await tx.query<{ id: bigint }>(RENAME, [id, name]);
    if (row === undefined) throw new AppError('NOT_FOUND');
    return row.id;
  } catch (cause) {
    if (sqlState(cause) !== TAKEN) throw cause;
    throw new AppError('NAME_TAKEN', { field: 'name', cause });
  }
}

function tierText({ minCredits, rate }: PriceTierRow): string {
  return `${formatCredits(minCredits)}: ${formatCredits(rate)}`;
}
