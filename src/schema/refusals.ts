import type { RefusalCode } from '../errors.ts';
import {
  KEPT_DAYS,
  listRefusals,
  refusalsOfKey,
  type KeyRefusals,
  type RefusalCount,
} from '../resolvers/admin/refusals.ts';
import type { RefusalDelta, RefusalEvent, RefusalHeartbeat } from '../resolvers/refusals/stream.ts';
import { subscribeRefusals } from '../resolvers/refusals/subscribeRefusals.ts';
import { ApiKey } from './apiKey.ts';
import { builder, connectionComplexity } from './builder.ts';
import { ProductEnum, RefusalCodeEnum } from './enums.ts';
import { KEY_OF_EVENT, keyOfEvent } from './eventKey.ts';
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

const RefusalEventInterface = builder.interfaceRef<RefusalEvent>('RefusalEvent').implement({
  description: 'An event of the live refusals of an account.',
  resolveType: (event) => event.__typename,
  fields: (t) => ({ at: t.expose('at', { type: 'DateTime', description: 'When; of several, the last one.' }) }),
});

builder.objectRef<RefusalDelta>('RefusalDelta').implement({
  description:
    'Connections of one key that the proxy refused or ended for one reason, since the last event about them. A storm or a slow reader gets sums, at most five events a second.',
  interfaces: [RefusalEventInterface],
  fields: (t) => ({
    apiKey: t.loadable({ ...KEY_OF_EVENT, description: 'The key.', resolve: keyOfEvent }),
    code: t.expose('code', { type: RefusalCodeEnum, description: 'The reason.' }),
    message: t.exposeString('message', { description: 'The reason in words, of the last one.' }),
    count: t.expose('count', { type: 'BigInt', description: 'How many.' }),
    product: t.expose('product', {
      type: ProductEnum,
      nullable: true,
      description: 'What the last one was for; null when that is not known.',
    }),
    clientAddress: t.exposeString('clientAddress', {
      nullable: true,
      description: 'Address from which the last one came; null when that is not known.',
    }),
  }),
});

builder.objectRef<RefusalHeartbeat>('RefusalHeartbeat').implement({
  description: 'Nothing was refused: comes at once, and at least every 5 seconds without other events.',
  interfaces: [RefusalEventInterface],
});

builder.subscriptionField('refusals', (t) =>
  t.withAuth({ authenticated: true }).field({
    type: RefusalEventInterface,
    description:
      'Live refusals: why connections of the account are refused or ended, within a second where it happens and within two elsewhere in a fleet. What no key can be blamed for belongs to nobody. Called with an API key and without `apiKeyId`, it is narrowed to that key.',
    args: {
      apiKeyId: t.arg.id({ description: 'Only of this key (global id); NOT_FOUND when it is not one of yours.' }),
    },
    subscribe: (_root, { apiKeyId }, ctx) =>
      subscribeRefusals(ctx, { apiKeyId: optionalDatabaseId('ApiKey', apiKeyId) }),
    resolve: (event) => event,
  }),
);
