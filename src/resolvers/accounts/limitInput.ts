import { formatCredits } from '../../units.ts';
import type { Limits } from '../ledger/limits.ts';
import type { Meter } from './windows.ts';

/** Limits as inputs give them. Nano-credits; absent leaves alone, null clears. */
export interface LimitInput {
  readonly dailyLimit?: bigint | null | undefined;
  readonly weeklyLimit?: bigint | null | undefined;
  readonly monthlyLimit?: bigint | null | undefined;
}

/** The limits that an account or a key has. */
type Held = Pick<Meter, 'dayLimit' | 'weekLimit' | 'monthLimit'>;

/** Those that differ from what is there. */
export function newLimits({ day, week, month }: Limits, { dayLimit, weekLimit, monthLimit }: Held): Limits {
  return {
    ...(day !== undefined && day !== dayLimit && { day }),
    ...(week !== undefined && week !== weekLimit && { week }),
    ...(month !== undefined && month !== monthLimit && { month }),
  };
}

/** The same as they are put on record. */
export function limitTexts({ day, week, month }: Limits): Record<string, string | null> {
  const given = Object.entries({ dailyLimit: day, weeklyLimit: week, monthlyLimit: month });
  return Object.fromEntries(
    given.flatMap(([name, limit]) =>
      limit === undefined ? [] : [[name, limit === null ? null : formatCredits(limit)] as const],
    ),
  );
}

/** The same as the ledger takes them. */
export function limitsOf({ dailyLimit, weeklyLimit, monthlyLimit }: LimitInput): Limits {
  return {
    ...(dailyLimit !== undefined && { day: dailyLimit }),
    ...(weeklyLimit !== undefined && { week: weeklyLimit }),
    ...(monthlyLimit !== undefined && { month: monthlyLimit }),
  };
}
