import {
  GraphQLEnumType,
  GraphQLError,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  GraphQLUnionType,
  type GraphQLFieldConfig,
} from 'graphql';

import type { OperationContext } from '../../src/context.ts';
import { AppError } from '../../src/errors.ts';

/** What a resolver of the fixture fails with: canaries that must never be seen. */
export const CANARY = 'select secret_column from vault';

type Field = GraphQLFieldConfig<unknown, OperationContext>;

const Kind = new GraphQLEnumType({
  name: 'Kind',
  values: { APP: {}, THROTTLED: {}, BUG: {}, REJECTED: {}, PLAIN: {} },
});

const Node = new GraphQLInterfaceType({
  name: 'Node',
  fields: { id: { type: new GraphQLNonNull(GraphQLID) } },
  resolveType: (value: unknown) => (typeof value === 'object' && value !== null && 'title' in value ? 'Item' : 'User'),
});

const fail: Field = {
  type: GraphQLString,
  args: { kind: { type: new GraphQLNonNull(Kind) } },
  async resolve(_root, { kind }: { kind?: string }) {
    if (kind === 'APP') throw new AppError('BAD_INPUT', { message: 'limit: must not be negative', field: 'limit' });
    if (kind === 'THROTTLED') throw new AppError('THROTTLED', { retryAfterSeconds: 7 });
    if (kind === 'REJECTED') return await Promise.reject(new AppError('NOT_FOUND', { cause: new Error(CANARY) }));
    if (kind === 'PLAIN') throw new GraphQLError(CANARY);
    throw new TypeError(CANARY);
  },
};

const Item: GraphQLObjectType = new GraphQLObjectType<{ title: string }, OperationContext>({
  name: 'Item',
  interfaces: [Node],
  fields: () => ({
    id: { type: new GraphQLNonNull(GraphQLID) },
    title: { type: new GraphQLNonNull(GraphQLString), resolve: ({ title }) => (title === '' ? null : title) },
    owner: { type: User, resolve: () => USER },
    broken: { type: GraphQLInt, resolve: () => CANARY },
    fail,
  }),
});

const User: GraphQLObjectType = new GraphQLObjectType<{ name: string }, OperationContext>({
  name: 'User',
  interfaces: [Node],
  fields: () => ({
    id: { type: new GraphQLNonNull(GraphQLID) },
    name: { type: GraphQLString, resolve: async ({ name }) => name },
    items: {
      type: new GraphQLNonNull(new GraphQLList(Item)),
      args: { first: { type: GraphQLInt, defaultValue: 3 } },
      extensions: { complexity: (args: { first?: number }) => ({ field: 1, multiplier: args.first ?? 3 }) },
      resolve: (_user, { first }: { first?: number }) =>
        Array.from({ length: first ?? 0 }, (_, index) => ({
          id: `i${index}`,
          title: index === 5 ? '' : `item ${index}`,
        })),
    },
    fail,
  }),
});

const USER = { id: 'u1', name: 'Ada' };

const SearchResult = new GraphQLUnionType({
  name: 'SearchResult',
  types: [Item, User],
  resolveType: (value) => ('title' in value ? 'Item' : 'User'),
});

const Filter = new GraphQLInputObjectType({
  name: 'Filter',
  fields: { text: { type: new GraphQLNonNull(GraphQLString) }, kind: { type: Kind } },
});

const Query = new GraphQLObjectType<unknown, OperationContext>({
  name: 'Query',
  fields: {
    hello: {
      type: GraphQLString,
      args: { name: { type: GraphQLString } },
      resolve: (_root, { name }: { name?: string }) => `hello ${name ?? 'world'}`,
    },
    repeat: {
      type: GraphQLString,
      args: { times: { type: new GraphQLNonNull(GraphQLInt), defaultValue: 1 } },
      resolve: (_root, { times }: { times: number }) => 'x'.repeat(Math.min(times, 100)),
    },
    me: {
      type: User,
      resolve: (_root, _args, { viewer }) => (viewer === null ? null : { ...USER, id: `${viewer.userId}` }),
    },
    user: { type: new GraphQLNonNull(User), resolve: () => USER },
    node: {
      type: Node,
      args: { id: { type: GraphQLID } },
      resolve: (_root, { id }) => (id === 'u1' ? USER : { id, title: 't' }),
    },
    search: {
      type: new GraphQLList(SearchResult),
      args: { filter: { type: Filter } },
      resolve: () => [USER, { id: 'i1', title: 'one' }],
    },
    fail,
    mustFail: { ...fail, type: new GraphQLNonNull(GraphQLString) },
    broken: { type: GraphQLInt, resolve: () => CANARY },
  },
});

const Mutation = new GraphQLObjectType<unknown, OperationContext>({
  name: 'Mutation',
  fields: {
    bump: {
      type: GraphQLInt,
      args: { by: { type: GraphQLInt, defaultValue: 1 } },
      resolve: (_root, { by }) => by,
    },
    fail,
  },
});

async function* ticks(count: number, revoke: boolean): AsyncGenerator<{ tick: number }> {
  for (let tick = 1; tick <= count; tick += 1) yield { tick };
  if (revoke) throw new AppError('CREDENTIAL_REVOKED');
}

/** Waits for ever; tells when it is ended. */
export const silence = { opened: 0, ended: 0 };

function silent(): AsyncIterable<unknown> {
  let wake: (() => void) | undefined;
  silence.opened += 1;
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise((resolve) => (wake = () => resolve({ done: true, value: undefined }))),
      return: async () => {
        silence.ended += 1;
        wake?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

const Subscription = new GraphQLObjectType<unknown, OperationContext>({
  name: 'Subscription',
  fields: {
    tick: {
      type: GraphQLInt,
      args: { count: { type: new GraphQLNonNull(GraphQLInt) }, revoke: { type: Kind } },
      subscribe(_root, { count, revoke }: { count: number; revoke?: string }) {
        if (count < 0) throw new AppError('BAD_CURSOR');
        return ticks(count, revoke !== undefined);
      },
      resolve: (event) => (typeof event === 'object' && event !== null && 'tick' in event ? event.tick : null),
    },
    silence: { type: GraphQLInt, subscribe: () => silent() },
  },
});

/** A schema with one of everything, made without a builder. */
export const fixtureSchema = new GraphQLSchema({ query: Query, mutation: Mutation, subscription: Subscription });
