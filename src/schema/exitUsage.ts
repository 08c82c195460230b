import { KEPT_DAYS, usageByExit, type ExitUsageRow } from '../resolvers/exits/usageByExit.ts';
import { ApiKey } from './apiKey.ts';
import { builder } from './builder.ts';
import { ProductEnum } from './enums.ts';
import { User } from './user.ts';

const DEFAULT_DAYS = 7;
/** What there is for a week usually, for the price of the fields; each further day adds to the work of summing up. */
const USUAL_ROWS = 20;

const ExitUsage = builder.objectRef<ExitUsageRow>('ExitUsage').implement({
  description:
    'Traffic through one exit on one UTC day: a statistic beside the bill, a few seconds behind it. The two differ where a server was killed, which loses what it had not written of this one; where the database took a figure and its answer was lost, which counts it twice; and beyond 20000 figures that wait to be written.',
  fields: (t) => ({
    exit: t.exposeString('exit', {
      description:
        'Name of the exit, as `Exit.name`; it tells nothing but that it is the same one. `other`: the rest, where a key used more than 64 exits at once.',
    }),
    product: t.expose('product', { type: ProductEnum, description: 'What was consumed.' }),
    day: t.expose('day', { type: 'Date', description: 'The day.' }),
    bytesUp: t.expose('bytesUp', { type: 'BigInt', description: 'Bytes from clients to targets.' }),
    bytesDown: t.expose('bytesDown', { type: 'BigInt', description: 'Bytes from targets to clients.' }),
    connections: t.expose('connections', { type: 'BigInt', description: 'Connections opened on that day.' }),
  }),
});

const clampDays = (days: number): number => Math.min(Math.max(days, 1), KEPT_DAYS);
const rowsOf = (days: number): number => Math.max(USUAL_ROWS, clampDays(days));
const DAYS = {
  required: true,
  defaultValue: DEFAULT_DAYS,
  description: `How many days, today included: clamped to 1..${KEPT_DAYS}, which is as long as they are kept.`,
} as const;
const ORDER = 'the latest day first, the busiest exit first within it; the first 1000.';

builder.prismaObjectFields(ApiKey, (t) => ({
  usageByExit: t.field({
    type: [ExitUsage],
    description: `Traffic of this key by exit, ${ORDER}`,
    args: { days: t.arg.int(DAYS) },
    complexity: ({ days }) => ({ field: 1, multiplier: rowsOf(days) }),
    resolve: (key, { days }, ctx) => usageByExit(ctx, { keyId: key.id }, clampDays(days)),
  }),
}));

builder.prismaObjectFields(User, (t) => ({
  usageByExit: t.field({
    type: [ExitUsage],
    description: `Traffic of all keys by exit, ${ORDER}`,
    args: { days: t.arg.int(DAYS) },
    complexity: ({ days }) => ({ field: 1, multiplier: rowsOf(days) }),
    resolve: (user, { days }, ctx) => usageByExit(ctx, { userId: user.id }, clampDays(days)),
  }),
}));
