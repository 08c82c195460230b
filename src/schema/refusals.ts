import type { RefusalCode } from '../errors.ts';
import {
  KEPT_DAYS,
  listRefusals,
  refusalsOfKey,
  type KeyRefusals,
  type RefusalCount,
} from '../resolvers/admin/refusals.ts';
import { ApiKey } from './apiKey.ts';
import { builder, connectionComplexity } from './builder.ts';
import { RefusalCodeEnum } from './enums.ts';
import { optionalDatabaseId } from './ids.ts';
import { User } from './user.ts';

const DEFAULT_DAYS = 7;
/** What a key has in a week at most, about; for the price of the field. */
const USUAL_COUNTS = 20;

const RefusalCountInterface = builder.interfaceRef<RefusalCount>('RefusalCount').implement({
  description: 'How often the proxy refused or ended connections of one key for one reason on one UTC day.',
  fields: (t) => ({
    code: t.expose('code', { type: RefusalCodeEnum, description: 'The reason.' }),
    day: t.expose('day', { type: 'Date', description: 'The day.' }),
    count: t.expose('count', { type: 'BigInt', description: 'How often.' }),
    firstAt: t.expose('firstAt', { type: 'DateTime', description: 'The first time that day.' }),
    lastAt: t.expose('lastAt', { type: 'DateTime', description: 'The last time that day.' }),
  }),
});

const ApiKeyRefusals = builder.objectRef<RefusalCount>('ApiKeyRefusals').implement({
  description: 'Refused and ended connections of an API key.',
  interfaces: [RefusalCountInterface],
});

const AccountRefusals = builder.objectRef<KeyRefusals>('AccountRefusals').implement({
  description: 'Refused and ended connections, with whose they are.',
  interfaces: [RefusalCountInterface],
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The key.', resolve: ({ apiKey }) => apiKey }),
    user: t.field({ type: User, description: 'Whose key it is.', resolve: ({ user }) => user }),
  }),
});

builder.prismaObjectFields(ApiKey, (t) => ({
  refusals: t.field({
    type: [ApiKeyRefusals],
    description: 'How often and why connections of this key were refused or ended, per UTC day, the latest day first.',
    args: {
      days: t.arg.int({
        required: true,
        defaultValue: DEFAULT_DAYS,
        description: `How many days, today included: clamped to 1..${KEPT_DAYS}, which is as long as they are kept.`,
      }),
    },
    complexity: { field: 1, multiplier: USUAL_COUNTS },
    resolve: (key, { days }, ctx) => refusalsOfKey(ctx, key.id, Math.min(Math.max(days, 1), KEPT_DAYS)),
  }),
}));

builder.queryField('refusals', (t) =>
  t.withAuth({ admin: true }).connection(
    {
      type: AccountRefusals,
      description:
        'Operator: connections that the proxy refused or ended, counted per key, reason and UTC day, those that came last first. Kept for 90 days; what no key can be blamed for is not counted.',
      args: {
        userId: t.arg.id({ description: 'Only of this user (global id).' }),
        code: t.arg({ type: RefusalCodeEnum, description: 'Only for this reason.' }),
      },
      complexity: connectionComplexity,
      resolve: (_root, { userId, code, ...args }, ctx) =>
        listRefusals(ctx, args, {
          userId: optionalDatabaseId('User', userId),
          code: (code ?? null) as RefusalCode | null,
        }),
    },
    { name: 'QueryRefusalsConnection', description: 'A page of refusals.' },
    { name: 'QueryRefusalsConnectionEdge', description: 'Refusals in a page.' },
  ),
);
