import Fastify from 'fastify';
import mercurius, { type IResolvers } from 'mercurius';

import { announce, authenticate, lookupOf, prepared } from './database.ts';
import * as rows from './rows.ts';
import * as statements from './statements.ts';

/** The best peer of the design study: Mercurius with graphql-jit, and hand-written SQL in its resolvers. */
const SCHEMA = /* GraphQL */ `
  scalar Credits
  scalar BigInt
  scalar DateTime
  scalar Date
  enum TransactionType {
    ADJUSTMENT
    CONSUMPTION
    DEPOSIT
  }
  type Query {
    viewer: Viewer
  }
  type Mutation {
    updateApiKey(input: UpdateApiKeyInput!): UpdateApiKeyResult!
  }
  type Viewer {
    user: User!
    remaining: Credits!
  }
  type User {
    balance: Credits!
    apiKeyList: [ApiKey!]!
    transactions(first: Int): UserTransactionsConnection!
    usageByDay(days: Int = 7): [DailyUsage!]!
  }
  type ApiKey {
    databaseId: BigInt!
    name: String!
    limits: Limits!
  }
  type Limits {
    daily: LimitWindow!
    weekly: LimitWindow!
    monthly: LimitWindow!
  }
  type LimitWindow {
    limit: Credits
    used: Credits!
  }
  type UserTransactionsConnection {
    totalCount: Int!
    totalAmount: Credits!
    edges: [UserTransactionsConnectionEdge!]!
  }
  type UserTransactionsConnectionEdge {
    node: Transaction!
  }
  type Transaction {
    databaseId: BigInt!
    type: TransactionType!
    amount: Credits!
    createdAt: DateTime!
    apiKey: KeyName
  }
  type KeyName {
    databaseId: BigInt!
    name: String!
  }
  type DailyUsage {
    date: Date!
    shared: ProductUsage!
    dedicated: ProductUsage!
    browser: ProductUsage!
    credits: Credits!
    deposits: Credits!
  }
  type ProductUsage {
    bytesUp: BigInt!
    bytesDown: BigInt!
    credits: Credits!
  }
  input UpdateApiKeyInput {
    id: ID!
    dailyLimit: Credits
    weeklyLimit: Credits
    monthlyLimit: Credits
  }
  type UpdateApiKeySuccess {
    apiKey: ApiKey!
  }
  type NotFoundError {
    message: String!
  }
  union UpdateApiKeyResult = NotFoundError | UpdateApiKeySuccess
`;

const source = statements.KNOWN;
const findViewer = prepared<rows.ViewerRow>('viewer', statements.viewer(source));
const findKeys = prepared<rows.KeyRow>('keys', statements.keys(source));
const findTransactions = prepared<rows.TransactionRow>('transactions', statements.transactions(source));
const findDays = prepared<rows.DayRow>('days', statements.days(source));
const limit = prepared<rows.LimitedKeyRow>('limit', statements.limit(source));

interface Context {
  readonly accountId: string;
  readonly keyId: string;
  viewer?: Promise<ViewerFields>;
}
interface ViewerFields {
  readonly user: { readonly balance: string };
  readonly remaining: string;
}
interface LimitInput {
  readonly id: string;
  readonly dailyLimit: string;
  readonly weeklyLimit: string;
  readonly monthlyLimit: string;
}

/** Only what a document selects is read, and once. */
function viewerFields(context: Context): Promise<ViewerFields> {
  context.viewer ??= findViewer(context.accountId, context.keyId).then(([row]) => rows.viewerOf(row!) as ViewerFields);
  return context.viewer;
}

const ID_PREFIX = 'ApiKey:';

const resolvers = {
  Query: { viewer: () => ({}) },
  Viewer: {
    user: () => ({}),
    remaining: async (_viewer: unknown, _args: unknown, context: Context) => (await viewerFields(context)).remaining,
  },
  User: {
    balance: async (_user: unknown, _args: unknown, context: Context) => (await viewerFields(context)).user.balance,
    apiKeyList: async (_user: unknown, _args: unknown, { accountId }: Context) =>
      (await findKeys(accountId)).map(rows.keyOf),
    transactions: async (_user: unknown, _args: unknown, { accountId }: Context) =>
      rows.transactionsOf(await findTransactions(accountId)),
    usageByDay: async (_user: unknown, _args: unknown, { accountId }: Context) =>
      (await findDays(accountId)).map(rows.dayOf),
  },
  Mutation: {
    async updateApiKey(_root: unknown, { input }: { input: LimitInput }, { accountId }: Context) {
      const id = Buffer.from(input.id, 'base64').toString().slice(ID_PREFIX.length);
      const nano = rows.nanoOf([input.dailyLimit, input.weeklyLimit, input.monthlyLimit]);
      const [row] = await limit(accountId, id, nano);
      return row === undefined
        ? { message: 'There is no such object.' }
        : { apiKey: rows.keyOf(rows.withLimits(row, nano)) };
    },
  },
  UpdateApiKeyResult: {
    resolveType: (result: object) => ('apiKey' in result ? 'UpdateApiKeySuccess' : 'NotFoundError'),
  },
};

const app = Fastify();
await app.register(mercurius, {
  schema: SCHEMA,
  resolvers: resolvers as unknown as IResolvers,
  jit: 1,
  context: async (request): Promise<Context> => {
    const [caller] = await authenticate(lookupOf(request.headers.authorization));
    if (caller === undefined) throw new Error('A valid credential is required.');
    return { accountId: caller.account_id, keyId: caller.key_id };
  },
});
announce(await app.listen({ host: '127.0.0.1', port: 0 }));
