import { getOperationAST, GraphQLObjectType, GraphQLSchema, GraphQLString, parse } from 'graphql';
import { describe, expect, it } from 'vitest';

import { hasPlannedFields, hasRequiredDefaults } from '../../src/graphql/compile.ts';
import { schema } from '../../src/schema/index.ts';
import { createFixture } from './fixture.ts';

const planned = (query: string): boolean => hasPlannedFields(schema, parse(query));

describe('documents with fields that plugin-prisma plans', () => {
  it('are told from hot reads', () => {
    expect(planned('{ viewer { remaining user { balance } } }')).toBe(false);
    expect(planned('{ viewer { user { apiKeys { edges { node { name limits { daily { used } } } } } } } }')).toBe(
      false,
    );
    expect(planned('{ viewer { user { transactions { edges { node { amount apiKey { name } } } } } } }')).toBe(false);
    expect(planned('{ viewer { user { usageByDay { date } } } }')).toBe(false);
    expect(
      planned('mutation { updateApiKey(input: { id: "x" }) { ... on UpdateApiKeySuccess { apiKey { name } } } }'),
    ).toBe(false);
    expect(planned('{ node(id: "x") { id } }')).toBe(true);
    expect(planned('fragment F on Query { node(id: "x") { id } } { ...F }')).toBe(true);
  });

  it('are found by a resolver that plans, whatever its name', () => {
    const queryFromInfo = (): string => 'planned';
    const type = new GraphQLObjectType({
      name: 'Query',
      fields: {
        plain: { type: GraphQLString, extensions: { pothosOptions: { resolve: () => 'x' } } },
        root: { type: GraphQLString, extensions: { pothosOptions: { resolve: () => queryFromInfo() } } },
        relation: { type: GraphQLString, extensions: { pothosPrismaSelect: {} } },
      },
    });
    const made = new GraphQLSchema({ query: type });
    const found = (query: string): boolean => hasPlannedFields(made, parse(query));
    expect([found('{ plain }'), found('{ root }'), found('{ plain relation }')]).toEqual([false, true, true]);
  });
});

it('does not compile what takes an input with a required field that has a default', () => {
  const forgets = (variables: string): boolean => {
    const operation = getOperationAST(parse(`mutation (${variables}) { __typename }`));
    if (operation == null) throw new Error('no operation');
    return hasRequiredDefaults(schema, operation);
  };
  expect(forgets('$input: SignInInput!')).toBe(true);
  // One level down, and in a list.
  expect(forgets('$id: ID!, $input: ConfigureWebhookInput!')).toBe(true);
  expect(forgets('$inputs: [SignInInput!]!')).toBe(true);
  expect(forgets('$id: ID!, $input: UpdateApiKeyInput!, $limit: Credits = "1"')).toBe(false);
});

it('compiles from the second use on, with the same result', async () => {
  const { executor } = createFixture();
  const context = await executor.contextFor({ authorization: undefined, clientAddress: '127.0.0.1' });
  const query = 'query Q($n: Int) { user { id items(first: $n) { title owner { name } } } }';
  const run = async (): Promise<unknown> => {
    const { prepared, errors } = executor.prepare({ query, variables: { n: 4 } });
    if (prepared === undefined) throw new AggregateError(errors);
    return JSON.parse(JSON.stringify(await executor.execute(prepared, context)));
  };
  const first = await run();
  expect(first).toMatchObject({ data: { user: { id: 'u1' } } });
  expect(await run()).toEqual(first);
  expect(await run()).toEqual(first);
});
