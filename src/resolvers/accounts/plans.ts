/** Subscription plans, each higher than the one before. */
export const PLANS = ['FREE', 'STARTER', 'PRO'] as const;
export type Plan = (typeof PLANS)[number];
