import { HOUR_MS, WINDOWS, windowEnd, windowStart, type Window } from '../../units.ts';

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

/** The windows that contain a moment. */
interface CurrentWindows {
  /** Days since 1970, UTC. */
  readonly day: number;
  readonly starts: Readonly<Record<Window, Date>>;
  readonly ends: Readonly<Record<Window, Date>>;
  /** Parameters of statements with `currentColumns`: ISO 8601. */
  readonly texts: readonly [day: string, week: string, month: string];
}

const DAY_MS = 24 * HOUR_MS;
let known: CurrentWindows | undefined;

/** Worked out once a day: a list of keys asks three times for each. */
export function currentWindows(now: Date): CurrentWindows {
  const day = Math.floor(now.getTime() / DAY_MS);
  if (known?.day !== day) {
    const starts = { DAY: windowStart('DAY', now), WEEK: windowStart('WEEK', now), MONTH: windowStart('MONTH', now) };
    const ends = { DAY: windowEnd('DAY', now), WEEK: windowEnd('WEEK', now), MONTH: windowEnd('MONTH', now) };
    const texts = [starts.DAY.toISOString(), starts.WEEK.toISOString(), starts.MONTH.toISOString()] as const;
    known = { day, starts, ends, texts };
  }
  return known;
}

const COLUMNS = ['day', 'week', 'month'] as const;

/** What counts in each window that now runs, in SQL; the windows start at the parameters `$from` and the next two. */
function currentUse(table: string, from: number): readonly string[] {
  return COLUMNS.map(
    (name, index) =>
      `case when ${table}.${name}_start >= $${from + index}::timestamptz then ${table}.${name}_used else 0 end`,
  );
}

/** Six columns, for `currentMeter`: limits, and what counts under them now. */
export function currentColumns(table: string, from: number): string {
  const used = currentUse(table, from);
  return COLUMNS.map((name, index) => `${table}.${name}_limit, ${used[index]} as ${name}_used`).join(', ');
}

/** `remainingCredit` in SQL: the balance of `account`, and the windows of all `tables`, whose rows may be missing. */
export function remainingColumn(account: string, tables: readonly string[], from: number): string {
  const left = tables.flatMap((table) => {
    const used = currentUse(table, from);
    return COLUMNS.map((name, index) => `${table}.${name}_limit - ${used[index]}`);
  });
  return `greatest(0, least(${[`${account}.balance`, ...left].join(', ')})) as remaining`;
}

/** Row with the columns that `currentColumns` selects. */
export type CurrentRow = {
  readonly [Column in `${(typeof COLUMNS)[number]}_limit`]: bigint | null;
} & { readonly [Column in `${(typeof COLUMNS)[number]}_used`]: bigint };

export function currentMeter(row: CurrentRow, { starts }: CurrentWindows): Meter {
  return {
    dayLimit: row.day_limit,
    dayStart: starts.DAY,
    dayUsed: row.day_used,
    weekLimit: row.week_limit,
    weekStart: starts.WEEK,
    weekUsed: row.week_used,
    monthLimit: row.month_limit,
    monthStart: starts.MONTH,
    monthUsed: row.month_used,
  };
}

const NEVER = new Date(0);
/** In place of a meter that nobody will look at. */
export const UNREAD_METER: Meter = {
  dayLimit: null,
  dayStart: NEVER,
  dayUsed: 0n,
  weekLimit: null,
  weekStart: NEVER,
  weekUsed: 0n,
  monthLimit: null,
  monthStart: NEVER,
  monthUsed: 0n,
};

const CAMEL = { DAY: 'day', WEEK: 'week', MONTH: 'month' } as const;

/** State of one window. A counter of an earlier window counts as 0: settling rewrites it lazily. */
export function windowState(meter: Meter, window: Window, now: Date): WindowState {
  const name = CAMEL[window];
  const limit = meter[`${name}Limit`];
  const { starts, ends } = currentWindows(now);
  const current = meter[`${name}Start`].getTime() >= starts[window].getTime();
  const used = current ? meter[`${name}Used`] : 0n;
  const left = limit === null ? null : limit - used;
  return { limit, used, remaining: left !== null && left < 0n ? 0n : left, resetsAt: ends[window] };
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
