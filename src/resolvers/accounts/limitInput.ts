import { formatCredits } from '../../units.ts';
import type { Limits } from '../ledger/limits.ts';

/** Limits as inputs give them. Nano-credits; absent leaves alone, null clears. */
export interface LimitInput {
  readonly dailyLimit?: bigint | null | undefined;
  readonly weeklyLimit?: bigint | null | undefined;
  readonly monthlyLimit?: bigint | null | undefined;
}

/** The same as they are put on record. */
export function limitTexts({ dailyLimit, weeklyLimit, monthlyLimit }: LimitInput): Record<string, string | null> {
  const given = Object.entries({ dailyLimit, weeklyLimit, monthlyLimit });
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
