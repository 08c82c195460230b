import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { isOperator } from '../../viewer.ts';

/** From `minCredits` (nano-credits) in one purchase a credit costs `rate` (billionths of the unit of money). */
export interface PriceTierRow {
  readonly minCredits: bigint;
  readonly rate: bigint;
}

/** A price list. */
export interface PriceGridRow {
  readonly id: bigint;
  readonly name: string;
  readonly createdAt: Date;
  /** Ascending by `minCredits`; below the first a credit costs `BASE_RATE`. */
  readonly tiers: readonly PriceTierRow[];
}

/** Number of the grid of everybody who has no other. */
export const STANDARD_GRID = 1n;
/** Billionths of the unit of money that a credit costs where no tier applies: 1. */
export const BASE_RATE = 1_000_000_000n;
/** Grids that one answer holds. */
const MAX_LISTED = 1000;

/** Columns of `price_grid g`. */
export const GRID_COLUMNS = `g.id as grid_id, g.name as grid_name, g.created_at as grid_created_at, array(
  select t.min_credits::text || ':' || t.rate::text from price_tier t where t.grid_id = g.id order by t.min_credits
) as grid_tiers`;

export interface GridColumns {
  readonly grid_id: bigint;
  readonly grid_name: string;
  readonly grid_created_at: Date;
  /** `minCredits:rate`, ascending. */
  readonly grid_tiers: readonly string[];
}

export function gridOf(row: GridColumns): PriceGridRow {
  const tiers = row.grid_tiers.map((text) => {
    const [minCredits = '', rate = ''] = text.split(':');
    return { minCredits: BigInt(minCredits), rate: BigInt(rate) };
  });
  return { id: row.grid_id, name: row.grid_name, createdAt: row.grid_created_at, tiers };
}

const ALL = sql('priceGrids', `select ${GRID_COLUMNS} from price_grid g order by g.id limit ${MAX_LISTED}`);

/** All price grids, oldest first; for the operator. */
export async function listGrids({ db }: Pick<OperationContext, 'db'>): Promise<PriceGridRow[]> {
  return (await db.query<GridColumns>(ALL)).map(gridOf);
}

const BY_IDS = sql('priceGridsById', `select ${GRID_COLUMNS} from price_grid g where g.id = any($1::bigint[])`);

/** Grids in the order of the ids, whoever asks: the caller has checked that. An error in place of what is not there. */
export async function gridsById(db: Sql, ids: readonly bigint[]): Promise<(PriceGridRow | Error)[]> {
  const rows = await db.query<GridColumns>(BY_IDS, [[...new Set(ids)]]);
  const grids = new Map(rows.map((row) => [row.grid_id, gridOf(row)]));
  return ids.map((id) => grids.get(id) ?? new AppError('NOT_FOUND'));
}

const VISIBLE = sql(
  'priceGridVisible',
  `select ${GRID_COLUMNS} from price_grid g
   where g.id = $1 and ($3 or g.id = (select coalesce(u.grid_id, ${STANDARD_GRID}) from users u where u.id = $2))`,
);

/** A grid that the caller may see: its own, the operator every one. null otherwise. */
export async function findGrid(
  { db, viewer }: Pick<OperationContext, 'db' | 'viewer'>,
  id: bigint,
): Promise<PriceGridRow | null> {
  const [row] = await db.query<GridColumns>(VISIBLE, [id, viewer?.userId ?? 0n, isOperator(viewer)]);
  return row === undefined ? null : gridOf(row);
}
