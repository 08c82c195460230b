import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { NANO } from '../../units.ts';
import { OWNER_IDS } from '../usage/owners.ts';
import { BASE_RATE, GRID_COLUMNS, gridOf, STANDARD_GRID, type GridColumns, type PriceGridRow } from './grids.ts';

/** What credits cost one account. */
export interface Pricing {
  readonly grid: PriceGridRow;
  /** Billionths of the unit of money per credit: what the largest single deposit so far has earned. */
  readonly rate: bigint;
}

/** What one purchase costs. */
export interface Quote {
  /** Nano-credits. */
  readonly credits: bigint;
  /** Billionths of the unit of money per credit. */
  readonly rate: bigint;
  /** Billionths of the unit of money. */
  readonly price: bigint;
}

// Only confirmed deposits have an entry. Those of merged accounts stay where they were made. What is not CONSUMPTION is
// in an index, which is why both conditions are there. A deposit that is reversed later still counts: nothing says yet
// which one a REVERSAL takes back; whoever first posts one must make its `ref` name the deposit, and leave that out here.
const PRICING = sql(
  'pricingOfUser',
  `select ${GRID_COLUMNS}, (
     select max(e.amount) from ledger_entry e
     where e.kind <> 'CONSUMPTION' and e.kind = 'DEPOSIT'
       and e.account_id = any(${OWNER_IDS})
   ) as largest_deposit
   from users u join price_grid g on g.id = coalesce(u.grid_id, ${STANDARD_GRID})
   where u.id = $1`,
);

/**
 * The price list of an account and the rate in effect for it, in one statement.
 * @throws AppError NOT_FOUND when there is no such user
 */
export async function findPricing({ db }: Pick<OperationContext, 'db'>, userId: bigint): Promise<Pricing> {
  const [row] = await db.query<GridColumns & { largest_deposit: bigint | null }>(PRICING, [userId]);
  if (row === undefined) throw new AppError('NOT_FOUND');
  const grid = gridOf(row);
  return { grid, rate: rateOf(grid, row.largest_deposit ?? 0n) };
}

/** What a purchase of so many nano-credits would cost the account now. @throws AppError NOT_FOUND */
export async function quote(ctx: Pick<OperationContext, 'db'>, userId: bigint, credits: bigint): Promise<Quote> {
  const { grid } = await findPricing(ctx, userId);
  const rate = rateOf(grid, credits);
  return { credits, rate, price: priceOf(credits, rate) };
}

/** Rate of one purchase: of the highest tier that it reaches, below the first tier the base rate. */
export function rateOf({ tiers }: Pick<PriceGridRow, 'tiers'>, credits: bigint): bigint {
  return tiers.findLast(({ minCredits }) => minCredits <= credits)?.rate ?? BASE_RATE;
}

/** credits × rate, exactly; what lies below a billionth of the unit of money is rounded up. */
export function priceOf(credits: bigint, rate: bigint): bigint {
  return (credits * rate + NANO - 1n) / NANO;
}
