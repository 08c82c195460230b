import type { GraphQLResolveInfo } from 'graphql';

import type { User as PrismaUser } from '../../prisma/generated/client/client.ts';
import { PLANS } from '../resolvers/accounts/plans.ts';
import { USER_INCLUDE, type UserRow } from '../resolvers/accounts/rows.ts';
import { findViewer, type ViewerDepth, type ViewerState } from '../resolvers/accounts/findViewer.ts';
import { connectApiKeys, listApiKeys } from '../resolvers/apiKeys/listApiKeys.ts';
import { AppError } from '../errors.ts';
import { ApiKey, BRIEF_KEY } from './apiKey.ts';
import { MAX_PAGE } from '../resolvers/connection.ts';
import { isOperator } from '../viewer.ts';
import { builder, connectionComplexity } from './builder.ts';
import { AuthTypeEnum, LanguageEnum, PlanEnum, RoleEnum } from './enums.ts';
import { Limits } from './limits.ts';
import { selectsOnly, selectsOnlyAt } from './selection.ts';

function accountOf({ account }: { readonly account: UserRow['account'] | null }): UserRow['account'] {
  if (account === null) throw new AppError('INTERNAL');
  return account;
}

function authTypeOf({ email }: PrismaUser): 'EMAIL' | 'WALLET' {
  return email === null ? 'WALLET' : 'EMAIL';
}

/** Characters of an address that stand for the name of who has none. */
const NAME_OF_WALLET = 6;

/** Not stored: names are unique, and starts of addresses are not. */
function usernameOf({ username, email, walletAddress }: PrismaUser): string | null {
  if (username !== null || email !== null || walletAddress === null) return username;
  return `${walletAddress.slice(0, NAME_OF_WALLET)}...`;
}

export const User = builder.prismaNode('User', {
  description: 'A customer, with the account that holds the credit.',
  nullable: true,
  include: USER_INCLUDE,
  // Others are as absent as unknown ones, except to the operator.
  findUnique: (id, ctx) =>
    isOperator(ctx.viewer) ? { id: BigInt(id) } : { id: BigInt(id), AND: { id: ctx.viewer?.userId ?? 0n } },
  id: { resolve: (user) => user.id.toString(), description: 'Global id.' },
  fields: (t) => ({
    databaseId: t.expose('id', { type: 'BigInt', description: 'Number of the user, as the `lpf` dialect shows it.' }),
    username: t.string({
      nullable: true,
      description: 'Display name, unique when set; of a wallet without one `0x31b6...`, the start of its address.',
      resolve: usernameOf,
    }),
    email: t.exposeString('email', { nullable: true, description: 'E-mail address, lower case; null for wallets.' }),
    emailVerified: t.exposeBoolean('emailVerified', { description: 'The e-mail address was confirmed.' }),
    walletAddress: t.exposeString('walletAddress', {
      nullable: true,
      description: 'Linked Ethereum address, lower case.',
    }),
    authType: t.field({ type: AuthTypeEnum, description: 'How the account was made.', resolve: authTypeOf }),
    role: t.expose('role', { type: RoleEnum, description: 'What the account may do.' }),
    permissions: t.exposeStringList('permissions', { description: 'Additional rights, such as `app.testnet`.' }),
    plan: t.field({
      type: PlanEnum,
      description: 'Subscription plan.',
      resolve: ({ plan }) => PLANS.find((known) => known === plan) ?? 'FREE',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the account was created.' }),
    language: t.expose('language', { type: LanguageEnum, description: 'Language of mails.' }),
    suspendedAt: t.expose('suspendedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when the account is suspended; null while it is not.',
    }),
    suspendedFor: t.exposeString('suspendedFor', { nullable: true, description: 'Why it is suspended.' }),
    balance: t.field({
      type: 'Credits',
      description: 'Credit of the account. Open reservations are not subtracted.',
      resolve: (user) => accountOf(user).balance,
    }),
    limits: t.field({
      type: Limits,
      description: 'Limits of the whole account, and what all its keys spent.',
      resolve: accountOf,
    }),
    apiKeys: t.connection(
      {
        type: ApiKey,
        description: 'API keys, revoked ones included: active first, then by age.',
        complexity: connectionComplexity,
        resolve: (user, args, ctx) => connectApiKeys(ctx, user.id, args),
      },
      {
        name: 'UserApiKeysConnection',
        description: 'A page of API keys.',
        fields: (c) => ({
          totalCount: c.int({
            description: 'How many keys there are, revoked ones included.',
            resolve: (connection) => connection.totalCount(),
          }),
        }),
      },
      { name: 'UserApiKeysConnectionEdge', description: 'An API key in a page.' },
    ),
    apiKeyList: t.field({
      type: [ApiKey],
      description: 'The same keys as a plain list, the first 1000.',
      complexity: { field: 1, multiplier: MAX_PAGE / 2 },
      resolve: (user, _args, ctx, info) => listApiKeys(ctx, user.id, selectsOnly(info, ...BRIEF_KEY)),
    }),
  }),
});

/** The success of a mutation that changes a user, or makes one. */
export function userSuccess(name: `${string}Success`, description: string) {
  return builder.objectRef<{ user: UserRow }>(name).implement({
    description,
    fields: (t) => ({
      user: t.field({ type: User, description: 'The user as it is now.', resolve: ({ user }) => user }),
    }),
  });
}

const Viewer = builder.objectRef<ViewerState>('Viewer').implement({
  description: 'Who calls: an account, through a session or through one of its API keys.',
  fields: (t) => ({
    user: t.field({
      type: User,
      description: 'The account that the credential acts for.',
      resolve: ({ user }) => user,
    }),
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The API key that was presented; null for a session.',
      resolve: ({ apiKey }) => apiKey,
    }),
    remaining: t.field({
      type: 'Credits',
      description:
        'What may still be spent: the least of the balance, what every limit of the account leaves and, called with an API key, what its own limits leave. Never negative; open reservations are not subtracted.',
      resolve: ({ remaining }) => remaining,
    }),
  }),
});

/** Fields of a user that need nothing but its id. */
const BY_ID = [
  '__typename',
  'id',
  'databaseId',
  'apiKeys',
  'apiKeyList',
  'transactions',
  'transactionPage',
  'balanceSummary',
  'usageByDay',
  'usageByHour',
  'pricing',
  'quote',
  'settings',
  'auditLog',
  'sessions',
  'exits',
  'usageByExit',
  'openConnections',
];
const BY_BALANCE = [...BY_ID, 'balance'];
const BY_LIMITS = [...BY_BALANCE, 'limits'];

/** How much of the viewer the document asks for. */
function depthOf(info: GraphQLResolveInfo): ViewerDepth {
  if (selectsOnly(info, '__typename', 'user') && selectsOnlyAt(info, ['user'], BY_ID)) return 'ID';
  if (!selectsOnly(info, '__typename', 'user', 'remaining')) return 'ALL';
  if (selectsOnlyAt(info, ['user'], BY_BALANCE)) return 'BALANCE';
  return selectsOnlyAt(info, ['user'], BY_LIMITS) ? 'LIMITS' : 'ALL';
}

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'Who calls; null when no credential was given.',
    resolve: (_root, _args, ctx, info) => findViewer(ctx, depthOf(info)),
  }),
);
