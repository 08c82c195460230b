import { z } from 'zod';

import { NANO } from '../units.ts';
import type { builder } from './builder.ts';

type Fields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** What no text may hold: PostgreSQL refuses U+0000, and UTF-8 has no halves of surrogate pairs: they would be replaced. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** Every text that somebody writes starts from this one: a single line of whole characters. */
export const plainText = z
  .string()
  .refine((value) => !UNFIT.test(value), 'must not hold control characters or unpaired surrogates');

/** An e-mail address of somebody who wants, or has, an account. */
export const emailAddress = plainText.trim().max(254, 'is too long').pipe(z.email('must be an e-mail address'));

const MAX_PASSWORD = 1000;
/** A password to be set. */
export const newPassword = plainText.min(8, 'must have at least 8 characters').max(MAX_PASSWORD, 'is too long');
/** A password that somebody claims to have: whatever may once have been set. */
export const claimedPassword = plainText.min(1, 'must not be empty').max(MAX_PASSWORD, 'is too long');

/** Why the operator does something; the customer sees it. */
export const reason = plainText.trim().min(1, 'must not be empty').max(500, 'is too long');

/** Most credits that the operator gives or takes at once; a balance holds about nine times as many. */
export const MAX_GRANT_CREDITS = 1_000_000_000n;

/** Nano-credits that the operator gives or takes. */
export const grant = z
  .bigint()
  .min(-MAX_GRANT_CREDITS * NANO, `must be at least -${MAX_GRANT_CREDITS} credits`)
  .max(MAX_GRANT_CREDITS * NANO, `must be at most ${MAX_GRANT_CREDITS} credits`);

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
