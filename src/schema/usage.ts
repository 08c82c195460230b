import type {
  UsageAdjustment,
  UsageDelta,
  UsageHeartbeat,
  UsageLagged,
  UsageSnapshot,
  UsageStreamEvent,
} from '../resolvers/usage/stream.ts';
import { subscribeUsage } from '../resolvers/usage/subscribeUsage.ts';
import { builder } from './builder.ts';
import { ProductUsage } from './consumption.ts';
import { AdjustmentKindEnum, ProductEnum } from './enums.ts';
import { KEY_OF_EVENT, keyOfEvent } from './eventKey.ts';
import { optionalDatabaseId } from './ids.ts';

const UsageEvent = builder.interfaceRef<UsageStreamEvent>('UsageEvent').implement({
  description: 'An event of the numbered usage stream of an account.',
  resolveType: (event) => event.__typename,
  fields: (t) => ({
    seq: t.string({
      description: 'Number in the stream of the account, decimal: give the last one as `after` to resume.',
      resolve: ({ seq }) => seq.toString(),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
  }),
});

const FROM = 'First number that the event covers: always the last number seen + 1.';
const BALANCE = 'Balance of the account after the event.';
const REMAINING = 'What may still be spent after the event, as `Viewer.remaining`.';

builder.objectRef<UsageSnapshot>('UsageSnapshot').implement({
  description: 'Where the account stands; everything up to `seq` is in it.',
  interfaces: [UsageEvent],
  fields: (t) => ({
    balance: t.expose('balance', { type: 'Credits', description: BALANCE }),
    remaining: t.expose('remaining', { type: 'Credits', description: REMAINING }),
    totals: t.field({
      type: [ProductUsage],
      description: 'Lifetime totals per product, of the key when the stream is narrowed to one.',
      resolve: ({ totals }) => totals,
    }),
  }),
});

builder.objectRef<UsageDelta>('UsageDelta').implement({
  description: 'Traffic since the last event; a slow reader gets sums, never gaps.',
  interfaces: [UsageEvent],
  fields: (t) => ({
    fromSeq: t.string({ description: FROM, resolve: ({ fromSeq }) => fromSeq.toString() }),
    apiKey: t.loadable({ ...KEY_OF_EVENT, description: 'The key that consumed.', resolve: keyOfEvent }),
    product: t.expose('product', { type: ProductEnum, description: 'What was consumed.' }),
    bytesUp: t.expose('bytesUp', { type: 'BigInt', description: 'Bytes from clients to targets.' }),
    bytesDown: t.expose('bytesDown', { type: 'BigInt', description: 'Bytes from targets to clients.' }),
    credits: t.expose('credits', { type: 'Credits', description: 'What they cost.' }),
    balance: t.expose('balance', { type: 'Credits', description: BALANCE }),
    remaining: t.expose('remaining', { type: 'Credits', description: REMAINING }),
  }),
});

builder.objectRef<UsageAdjustment>('UsageAdjustment').implement({
  description: 'Balance or limits changed other than by traffic.',
  interfaces: [UsageEvent],
  fields: (t) => ({
    fromSeq: t.string({ description: FROM, resolve: ({ fromSeq }) => fromSeq.toString() }),
    kind: t.expose('kind', { type: AdjustmentKindEnum, description: 'What changed.' }),
    amount: t.expose('amount', { type: 'Credits', description: 'Signed change of the balance; 0 for limits.' }),
    balance: t.expose('balance', { type: 'Credits', description: BALANCE }),
    remaining: t.expose('remaining', { type: 'Credits', description: REMAINING }),
  }),
});

builder.objectRef<UsageHeartbeat>('UsageHeartbeat').implement({
  description: 'The stream is alive; at least every 5 seconds without other events.',
  interfaces: [UsageEvent],
});

builder.objectRef<UsageLagged>('UsageLagged').implement({
  description: 'The history after the cursor is gone; a fresh snapshot follows.',
  interfaces: [UsageEvent],
  fields: (t) => ({
    prunedSeq: t.string({
      description: 'Numbers up to this one are gone.',
      resolve: ({ prunedSeq }) => prunedSeq.toString(),
    }),
  }),
});

builder.subscriptionField('usage', (t) =>
  t.withAuth({ authenticated: true }).field({
    type: UsageEvent,
    description:
      'Live usage of the account: a snapshot, then every change as it is metered. Called with an API key and without `apiKeyId`, it is narrowed to that key.',
    args: {
      apiKeyId: t.arg.id({
        description: 'Only traffic of this key (global id); NOT_FOUND when it is not one of yours.',
      }),
      after: t.arg.string({
        description: 'Resume after this `seq`, without a snapshot. BAD_CURSOR when malformed or ahead of the account.',
      }),
    },
    subscribe: (_root, { apiKeyId, after }, ctx) =>
      subscribeUsage(ctx, { apiKeyId: optionalDatabaseId('ApiKey', apiKeyId), after: after ?? null }),
    resolve: (event) => event,
  }),
);
