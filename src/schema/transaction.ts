import type { GraphQLResolveInfo } from 'graphql';

import { connectTransactions } from '../resolvers/usage/connectTransactions.ts';
import { findTransaction } from '../resolvers/usage/findTransaction.ts';
import { MAX_PAGE_NUMBER, pageTransactions, type TransactionPageRow } from '../resolvers/usage/pageTransactions.ts';
import { balanceSummary, type SubtypeTotal, type TypeTotal } from '../resolvers/usage/balanceSummary.ts';
import { subtypeLabel, type TransactionRow } from '../resolvers/usage/transactionRows.ts';
import { ApiKey } from './apiKey.ts';
import { DEFAULT_PAGE, MAX_PAGE } from '../resolvers/connection.ts';
import { builder, connectionComplexity } from './builder.ts';
import { LanguageEnum, ProductEnum, TransactionStatusEnum, TransactionTypeEnum } from './enums.ts';
import { optionalDatabaseId } from './ids.ts';
import { selects, selectsAt, selectsOnlyAt } from './selection.ts';
import { User } from './user.ts';

/** A display label is given in the language that is asked for. */
const IN_LANGUAGE = builder.args((t) => ({
  language: t.field({ type: LanguageEnum, required: true, defaultValue: 'EN', description: 'Language of the label.' }),
}));

function labelOf({ subtype }: Pick<TransactionRow, 'subtype'>, { language }: { language: 'EN' | 'FR' }): string {
  return subtypeLabel(subtype, language);
}

const Transaction = builder.objectRef<TransactionRow>('Transaction');
builder.node(Transaction, {
  description:
    'A movement of credit. Consumption is one transaction per key, product and UTC hour, which grows while the hour is open.',
  id: { resolve: (transaction) => transaction.id, description: 'Global id.' },
  loadOne: (id, ctx) => findTransaction({ db: ctx.db, accountId: ctx.viewer?.userId ?? 0n, id: BigInt(id) }),
  fields: (t) => ({
    databaseId: t.expose('id', { type: 'BigInt', description: 'Number, as the `lpf` dialect shows it.' }),
    type: t.expose('type', { type: TransactionTypeEnum, description: 'Why the balance moved.' }),
    subtype: t.exposeString('subtype', {
      description: 'Precisely: USDT, CARD or ETH; SHARED, DEDICATED or BROWSER; CORRECTION, WELCOME or REVERSAL.',
    }),
    subtypeNumber: t.exposeInt('subtypeNumber', { description: 'Number of the subtype within its type, from 1.' }),
    subtypeLabel: t.string({ description: 'Display label of the subtype.', args: IN_LANGUAGE, resolve: labelOf }),
    amount: t.expose('amount', { type: 'Credits', description: 'Signed: negative for consumption.' }),
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The key that consumed; null for what is not consumption.',
      resolve: ({ apiKey }) => apiKey,
    }),
    product: t.expose('product', { type: ProductEnum, nullable: true, description: 'What was consumed.' }),
    status: t.expose('status', { type: TransactionStatusEnum, description: 'Whether it counts in the balance.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When; the start of the hour for consumption.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why the operator adjusted the balance.' }),
    txHash: t.exposeString('txHash', { nullable: true, description: 'Hash on the chain, or id of the payment.' }),
    confirmations: t.exposeInt('confirmations', { description: 'Blocks on top of it; 0 off the chain.' }),
    currency: t.exposeString('currency', { nullable: true, description: 'What was paid with, such as `usdt`.' }),
    chainId: t.exposeInt('chainId', { description: 'Chain it was paid on; 0 off the chain.' }),
    bytesUp: t.expose('bytesUp', { type: 'BigInt', nullable: true, description: 'Consumption: bytes to targets.' }),
    bytesDown: t.expose('bytesDown', {
      type: 'BigInt',
      nullable: true,
      description: 'Consumption: bytes from targets.',
    }),
  }),
});

const TransactionPage = builder.objectRef<TransactionPageRow>('TransactionPage').implement({
  description: 'A numbered page of transactions.',
  fields: (t) => ({
    transactions: t.expose('transactions', { type: [Transaction], description: 'Newest first; empty past the end.' }),
    total: t.exposeInt('total', { description: 'How many transactions match.' }),
    page: t.exposeInt('page', { description: 'Number of this page, from 1.' }),
    limit: t.exposeInt('limit', { description: 'Longest page, after clamping.' }),
  }),
});

const SubtypeSummary = builder.objectRef<SubtypeTotal>('SubtypeSummary').implement({
  description: 'Sum of the transactions of one subtype.',
  fields: (t) => ({
    subtype: t.exposeString('subtype', { description: 'As in `Transaction.subtype`.' }),
    subtypeNumber: t.exposeInt('subtypeNumber', { description: 'As in `Transaction.subtypeNumber`.' }),
    subtypeLabel: t.string({ description: 'Display label of the subtype.', args: IN_LANGUAGE, resolve: labelOf }),
    total: t.expose('total', { type: 'Credits', description: 'Signed sum.' }),
    count: t.exposeInt('count', { description: 'How many.' }),
  }),
});

const TypeSummary = builder.objectRef<TypeTotal>('TypeSummary').implement({
  description: 'Sum of the confirmed transactions of one type; all types together are the balance.',
  fields: (t) => ({
    type: t.expose('type', { type: TransactionTypeEnum, description: 'The type.' }),
    total: t.expose('total', { type: 'Credits', description: 'Signed sum: negative for consumption.' }),
    count: t.exposeInt('count', { description: 'How many.' }),
    subtypes: t.expose('subtypes', { type: [SubtypeSummary], description: 'The same by subtype.' }),
  }),
});

/** Whether brief rows are enough for the transactions at `path`: no bytes, and of keys id and name alone. */
function isBrief(info: GraphQLResolveInfo, ...path: string[]): boolean {
  return (
    !selectsAt(info, path, 'bytesUp', 'bytesDown') &&
    selectsOnlyAt(info, [...path, 'apiKey'], ['__typename', 'id', 'databaseId', 'name'])
  );
}

builder.prismaObjectFields(User, (t) => ({
  transactions: t.connection(
    {
      type: Transaction,
      description: 'Transactions, newest first.',
      args: {
        type: t.arg({ type: TransactionTypeEnum, description: 'Only of this type.' }),
        apiKeyId: t.arg.id({
          description: 'Only of this API key (global id); NOT_FOUND when it is not one of the user.',
        }),
      },
      complexity: connectionComplexity,
      resolve: (user, { apiKeyId, type, ...args }, ctx, info) =>
        connectTransactions(ctx, user.id, args, {
          type: type ?? null,
          apiKeyId: optionalDatabaseId('ApiKey', apiKeyId),
          withTotals: selects(info, 'totalCount', 'totalAmount'),
          brief: isBrief(info, 'edges', 'node'),
        }),
    },
    {
      name: 'UserTransactionsConnection',
      description: 'A page of transactions.',
      fields: (c) => ({
        totalCount: c.int({
          description: 'How many transactions match the filter.',
          resolve: ({ totals }) => totals.count,
        }),
        totalAmount: c.field({
          type: 'Credits',
          description: 'Signed sum of all transactions that match the filter.',
          resolve: ({ totals }) => totals.amount,
        }),
      }),
    },
    { name: 'UserTransactionsConnectionEdge', description: 'A transaction in a page.' },
  ),
  transactionPage: t.field({
    type: TransactionPage,
    description: 'Transactions by page number, newest first.',
    args: {
      page: t.arg.int({
        defaultValue: 1,
        description: `Page number: clamped to 1..${MAX_PAGE_NUMBER}.`,
      }),
      limit: t.arg.int({ defaultValue: DEFAULT_PAGE, description: 'Length of a page: clamped to 1..100.' }),
      type: t.arg({ type: TransactionTypeEnum, description: 'Only of this type.' }),
      subtypeNumber: t.arg.int({ description: 'Only with this `subtypeNumber`.' }),
      apiKeyId: t.arg.id({
        description: 'Only of this API key (global id); NOT_FOUND when it is not one of the user.',
      }),
    },
    complexity: ({ limit }) => ({ field: 1, multiplier: Math.min(Math.max(limit ?? DEFAULT_PAGE, 1), MAX_PAGE) }),
    resolve: (user, { apiKeyId, type, subtypeNumber, page, limit }, ctx, info) =>
      pageTransactions(ctx, user.id, {
        page: page ?? 1,
        limit: limit ?? DEFAULT_PAGE,
        type: type ?? null,
        subtypeNumber: subtypeNumber ?? null,
        apiKeyId: optionalDatabaseId('ApiKey', apiKeyId),
        brief: isBrief(info, 'transactions'),
      }),
  }),
  balanceSummary: t.field({
    type: [TypeSummary],
    description: 'What the balance is made of; types without transactions are absent.',
    complexity: { field: 1, multiplier: 5 },
    resolve: (user, _args, ctx) => balanceSummary(ctx, user.id),
  }),
}));

export { Transaction };
