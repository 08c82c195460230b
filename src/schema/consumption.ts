import type { ProductTotal } from '../resolvers/usage/stream.ts';
import { usageByDay, type DayUsage } from '../resolvers/usage/usageByDay.ts';
import { usageByHour, type HourUsage } from '../resolvers/usage/usageByHour.ts';
import type { PeriodUsage } from '../resolvers/usage/period.ts';
import { builder } from './builder.ts';
import { ProductEnum } from './enums.ts';
import { optionalDatabaseId } from './ids.ts';
import { User } from './user.ts';

/** Longest daily view, in days; longer ones are clamped. */
const MAX_DAYS = 90;
const DEFAULT_DAYS = 7;
const HOURS = 24;

function clampDays(days: number | null | undefined): number {
  return Math.min(Math.max(days ?? DEFAULT_DAYS, 1), MAX_DAYS);
}

export const ProductUsage = builder.objectRef<ProductTotal>('ProductUsage').implement({
  description: 'Traffic of one product.',
  fields: (t) => ({
    product: t.expose('product', { type: ProductEnum, description: 'What was consumed.' }),
    bytesUp: t.expose('bytesUp', { type: 'BigInt', description: 'Bytes from clients to targets.' }),
    bytesDown: t.expose('bytesDown', { type: 'BigInt', description: 'Bytes from targets to clients.' }),
    credits: t.expose('credits', { type: 'Credits', description: 'What they cost.' }),
  }),
});

const UsagePeriod = builder.interfaceRef<PeriodUsage>('UsagePeriod').implement({
  description: 'Consumption and deposits of a stretch of time.',
  fields: (t) => ({
    shared: t.expose('shared', { type: ProductUsage, description: 'Traffic over shared exits.' }),
    dedicated: t.expose('dedicated', { type: ProductUsage, description: 'Traffic over dedicated exits.' }),
    browser: t.expose('browser', { type: ProductUsage, description: 'Traffic of the browser gateway.' }),
    credits: t.expose('credits', { type: 'Credits', description: 'What the three cost together.' }),
    deposits: t.expose('deposits', {
      type: 'Credits',
      description: 'Confirmed deposits to the account, not subtracted from `credits`.',
    }),
  }),
});

const DailyUsage = builder.objectRef<DayUsage>('DailyUsage').implement({
  description: 'One UTC day.',
  interfaces: [UsagePeriod],
  fields: (t) => ({ date: t.expose('date', { type: 'Date', description: 'The day.' }) }),
});

const HourlyUsage = builder.objectRef<HourUsage>('HourlyUsage').implement({
  description: 'One hour of the current UTC day.',
  interfaces: [UsagePeriod],
  fields: (t) => ({
    hour: t.exposeInt('hour', { description: 'Hour of the day, 0 to 23.' }),
    startsAt: t.expose('startsAt', { type: 'DateTime', description: 'When the hour begins.' }),
  }),
});

const OF_KEY = 'Only traffic of this API key (global id); NOT_FOUND when it is not one of the user. Deposits stay.';

builder.prismaObjectFields(User, (t) => ({
  usageByDay: t.field({
    type: [DailyUsage],
    description: 'The last UTC days, ascending, ending today; days without traffic are there with zeros.',
    args: {
      days: t.arg.int({ defaultValue: DEFAULT_DAYS, description: 'How many days: clamped to 1..90.' }),
      apiKeyId: t.arg.id({ description: OF_KEY }),
    },
    complexity: ({ days }) => ({ field: 1, multiplier: clampDays(days) }),
    resolve: (user, { days, apiKeyId }, ctx) =>
      usageByDay(ctx, user.id, clampDays(days), optionalDatabaseId('ApiKey', apiKeyId)),
  }),
  usageByHour: t.field({
    type: [HourlyUsage],
    description: 'The 24 hours of the current UTC day; they add up to the last entry of `usageByDay`.',
    args: { apiKeyId: t.arg.id({ description: OF_KEY }) },
    complexity: { field: 1, multiplier: HOURS },
    resolve: (user, { apiKeyId }, ctx) => usageByHour(ctx, user.id, optionalDatabaseId('ApiKey', apiKeyId)),
  }),
}));
