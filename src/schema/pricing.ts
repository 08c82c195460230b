import { z } from 'zod';

import { assignGrid } from '../resolvers/pricing/assignGrid.ts';
import { findPricing, quote, type Pricing, type Quote } from '../resolvers/pricing/findPricing.ts';
import {
  findGrid,
  gridsById,
  listGrids,
  STANDARD_GRID,
  type PriceGridRow,
  type PriceTierRow,
} from '../resolvers/pricing/grids.ts';
import { savePriceGrid } from '../resolvers/pricing/savePriceGrid.ts';
import { NANO } from '../units.ts';
import { builder } from './builder.ts';
import { ConflictError, failures, NotFoundError } from './errors.ts';
import { databaseId, optionalDatabaseId } from './ids.ts';
import { MAX_GRANT_CREDITS, plainText } from './inputs.ts';
import { User, userSuccess } from './user.ts';

const MAX_TIERS = 20;
/** Units of money per credit. */
const MAX_RATE = 1_000n;

const purchase = z
  .bigint()
  .min(1n, 'must be positive')
  .max(MAX_GRANT_CREDITS * NANO, `must be at most ${MAX_GRANT_CREDITS} credits`);

const PriceTier = builder.objectRef<PriceTierRow>('PriceTier').implement({
  description: 'A step of a price grid.',
  fields: (t) => ({
    minCredits: t.expose('minCredits', { type: 'Credits', description: 'Size of one purchase from which it holds.' }),
    rate: t.expose('rate', { type: 'Decimal', description: 'Price of one credit.' }),
  }),
});

const PriceGrid = builder.objectRef<PriceGridRow>('PriceGrid');
builder.node(PriceGrid, {
  description: 'A price list: what a credit costs by the size of one purchase. Below the first tier it costs 1.',
  id: { resolve: (grid) => grid.id, description: 'Global id.' },
  loadOne: (id, ctx) => findGrid(ctx, BigInt(id)),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name, unique.' }),
    tiers: t.field({ type: [PriceTier], description: 'Steps, ascending.', resolve: ({ tiers }) => [...tiers] }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
  }),
});

const PricingType = builder.objectRef<Pricing>('Pricing').implement({
  description: 'What credits cost an account.',
  fields: (t) => ({
    grid: t.field({ type: PriceGrid, description: 'The price grid of the account.', resolve: ({ grid }) => grid }),
    rate: t.expose('rate', {
      type: 'Decimal',
      description:
        'Price of one credit in effect: what the largest single confirmed deposit of the account, and of accounts merged into it, has earned; 1 before the first. What the next purchase costs follows from its own size: see `quote`.',
    }),
    tiers: t.field({
      type: [PriceTier],
      description: 'Steps of the grid, ascending.',
      resolve: ({ grid }) => [...grid.tiers],
    }),
  }),
});

const QuoteType = builder.objectRef<Quote>('Quote').implement({
  description: 'What one purchase costs.',
  fields: (t) => ({
    credits: t.expose('credits', { type: 'Credits', description: 'What is bought.' }),
    rate: t.expose('rate', { type: 'Decimal', description: 'Price of one credit: that of the highest tier reached.' }),
    price: t.expose('price', {
      type: 'Decimal',
      description: '`credits` × `rate`, exactly; what lies below 10^-9 of the unit of money is rounded up.',
    }),
  }),
});

builder.prismaObjectFields(User, (t) => ({
  pricing: t.field({
    type: PricingType,
    description: 'What credits cost this account.',
    resolve: (user, _args, ctx) => findPricing(ctx, user.id),
  }),
  quote: t.field({
    type: QuoteType,
    description: 'What one purchase would cost this account now.',
    args: {
      credits: t.arg({
        type: 'Credits',
        required: true,
        validate: purchase,
        description: `What would be bought: positive, at most ${MAX_GRANT_CREDITS}.`,
      }),
    },
    resolve: (user, { credits }, ctx) => quote(ctx, user.id, credits),
  }),
  grid: t.loadable({
    type: PriceGrid,
    description: 'The price grid; `Standard` unless the operator has assigned another.',
    load: (ids: bigint[], ctx) => gridsById(ctx.db, ids),
    resolve: ({ gridId }) => gridId ?? STANDARD_GRID,
  }),
}));

const PriceTierInput = builder.inputType('PriceTierInput', {
  description: 'A step of a price grid.',
  fields: (t) => ({
    minCredits: t.field({
      type: 'Credits',
      required: true,
      validate: purchase,
      description: 'Size of one purchase from which it holds; positive.',
    }),
    rate: t.field({
      type: 'Decimal',
      required: true,
      validate: z
        .bigint()
        .min(1n, 'must be positive')
        .max(MAX_RATE * NANO, `must be at most ${MAX_RATE}`),
      description: `Price of one credit: positive, at most ${MAX_RATE}.`,
    }),
  }),
});

const SavePriceGridInput = builder.inputType('SavePriceGridInput', {
  description: 'A price grid as it shall be.',
  fields: (t) => ({
    id: t.id({ description: 'Global id of the grid to change; absent or null: a new one.' }),
    name: t.string({
      required: true,
      validate: plainText.trim().min(1, 'must not be empty').max(100, 'must have at most 100 characters'),
      description: 'Name, unique, 1 to 100 characters.',
    }),
    tiers: t.field({
      type: [PriceTierInput],
      required: true,
      validate: z.array(z.any()).max(MAX_TIERS, `must be at most ${MAX_TIERS}`),
      description: `All steps, ascending by \`minCredits\`; at most ${MAX_TIERS}. None: everything costs 1.`,
    }),
  }),
});

const AssignGridInput = builder.inputType('AssignGridInput', {
  description: 'Who gets which prices.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'Global id of the user.' }),
    gridId: t.id({ description: 'Global id of the grid; null: the standard one.' }),
  }),
});

const SavePriceGridSuccess = builder.objectRef<{ grid: PriceGridRow }>('SavePriceGridSuccess').implement({
  description: 'The grid is saved; quotes follow it at once.',
  fields: (t) => ({
    grid: t.field({ type: PriceGrid, description: 'The grid as it is now.', resolve: ({ grid }) => grid }),
  }),
});

const AssignGridSuccess = userSuccess('AssignGridSuccess', 'The user has the grid.');

builder.queryField('priceGrids', (t) =>
  t.withAuth({ admin: true }).field({
    type: [PriceGrid],
    description: 'Operator: all price grids, oldest first, the first 1000.',
    complexity: { field: 1, multiplier: 20 },
    resolve: (_root, _args, ctx) => listGrids(ctx),
  }),
);

builder.mutationFields((t) => ({
  savePriceGrid: t.withAuth({ admin: true }).field({
    type: SavePriceGridSuccess,
    description: 'Operator: makes a price grid, or changes one.',
    args: { input: t.arg({ type: SavePriceGridInput, required: true, description: 'The grid.' }) },
    errors: failures(NotFoundError, ConflictError),
    resolve: (_root, { input: { id, ...rest } }, ctx) =>
      savePriceGrid(ctx, { id: optionalDatabaseId('PriceGrid', id), ...rest }),
  }),
  assignGrid: t.withAuth({ admin: true }).field({
    type: AssignGridSuccess,
    description: 'Operator: gives a user a price grid.',
    args: { input: t.arg({ type: AssignGridInput, required: true, description: 'Who gets which.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input: { userId, gridId } }, ctx) =>
      assignGrid(ctx, databaseId('User', userId), optionalDatabaseId('PriceGrid', gridId)),
  }),
}));
