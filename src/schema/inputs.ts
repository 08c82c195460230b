import { z } from 'zod';

import type { builder } from './builder.ts';

type Fields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

const limit = z.bigint().min(0n, 'must not be negative').nullish();

/** Inputs of the three spending limits. Absent and null differ: `updateX` leaves alone or clears. */
export function limitFields(t: Fields, whose: 'account' | 'key') {
  const field = (window: string) =>
    t.field({
      type: 'Credits',
      validate: limit,
      description: `Credits the ${whose} may spend per UTC ${window}: null = no limit, 0 = blocked.`,
    });
  return { dailyLimit: field('day'), weeklyLimit: field('week (from Monday)'), monthlyLimit: field('month') };
}
