import { WINDOWS, windowEnd, windowStart, type Window } from '../../units.ts';

/** Limits and counters of an account or key, as `account` and `api_key` hold them. Nano-credits. */
export interface Meter {
  readonly dayLimit: bigint | null;
  readonly dayStart: Date;
  readonly dayUsed: bigint;
  readonly weekLimit: bigint | null;
  readonly weekStart: Date;
  readonly weekUsed: bigint;
  readonly monthLimit: bigint | null;
  readonly monthStart: Date;
  readonly monthUsed: bigint;
}

/** One window at one moment. Nano-credits. */
export interface WindowState {
  readonly limit: bigint | null;
  readonly used: bigint;
  /** null iff there is no limit; never negative. */
  readonly remaining: bigint | null;
  readonly resetsAt: Date;
}

/** The same columns for Prisma. */
export const METER_SELECTION = {
  dayLimit: true,
  dayStart: true,
  dayUsed: true,
  weekLimit: true,
  weekStart: true,
  weekUsed: true,
  monthLimit: true,
  monthStart: true,
  monthUsed: true,
} as const;

/** Columns of a meter for SQL, every name with a prefix: `a.day_limit as account_day_limit, …`. */
export function meterColumns(table: string, prefix: string): string {
  return ['day', 'week', 'month']
    .flatMap((window) => ['limit', 'start', 'used'].map((part) => `${window}_${part}`))
    .map((column) => `${table}.${column} as ${prefix}${column}`)
    .join(', ');
}

/** Row with the columns that `meterColumns` selects. */
export type MeterRow<Prefix extends string> = {
  readonly [Column in `${Prefix}${'day' | 'week' | 'month'}_limit`]: bigint | null;
} & { readonly [Column in `${Prefix}${'day' | 'week' | 'month'}_start`]: Date } & {
  readonly [Column in `${Prefix}${'day' | 'week' | 'month'}_used`]: bigint;
};

const CAMEL = { DAY: 'day', WEEK: 'week', MONTH: 'month' } as const;

/** State of one window. A counter of an earlier window counts as 0: settling rewrites it lazily. */
export function windowState(meter: Meter, window: Window, now: Date): WindowState {
  const name = CAMEL[window];
  const limit = meter[`${name}Limit`];
  const current = meter[`${name}Start`].getTime() >= windowStart(window, now).getTime();
  const used = current ? meter[`${name}Used`] : 0n;
  const left = limit === null ? null : limit - used;
  return { limit, used, remaining: left !== null && left < 0n ? 0n : left, resetsAt: windowEnd(window, now) };
}

/** Least left of all limited windows; null when nothing is limited. */
export function leastLeft(meter: Meter, now: Date): bigint | null {
  let least: bigint | null = null;
  for (const window of WINDOWS) {
    const { remaining } = windowState(meter, window, now);
    if (remaining !== null && (least === null || remaining < least)) least = remaining;
  }
  return least;
}

/**
 * What may still be spent: max(0, min(balance, every window left)). Open reservations are not
 * subtracted: they change without an event.
 */
export function remainingCredit(balance: bigint, meters: readonly Meter[], now: Date): bigint {
  const bounds = meters.map((meter) => leastLeft(meter, now)).filter((left) => left !== null);
  const least = bounds.reduce((low, left) => (left < low ? left : low), balance);
  return least < 0n ? 0n : least;
}
