import type { Limits } from '../ledger/limits.ts';

/** Limits as inputs give them. Nano-credits; absent leaves alone, null clears. */
export interface LimitInput {
  readonly dailyLimit?: bigint | null | undefined;
  readonly weeklyLimit?: bigint | null | undefined;
  readonly monthlyLimit?: bigint | null | undefined;
}

/** The same as the ledger takes them. */
export function limitsOf({ dailyLimit, weeklyLimit, monthlyLimit }: LimitInput): Limits {
  return {
    ...(dailyLimit !== undefined && { day: dailyLimit }),
    ...(weeklyLimit !== undefined && { week: weeklyLimit }),
    ...(monthlyLimit !== undefined && { month: monthlyLimit }),
  };
}
