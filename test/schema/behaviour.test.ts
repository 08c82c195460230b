import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { OperationContext } from '../../src/context.ts';
import { createPreparer } from '../../src/graphql/prepare.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { schema } from '../../src/schema/index.ts';
import { NANO } from '../../src/units.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  run,
  spend,
  type TestAccount,
  type TestServices,
} from '../harness/context.ts';

/** A Monday. */
const NOW = new Date('2027-02-01T10:30:00Z');
const MB = 1_000_000n;

let services: TestServices;
let account: TestAccount;
beforeAll(async () => {
  services = await openTestServices(() => NOW);
  account = await makeAccount(services, { credits: 10n * NANO });
  await spend(services, account.apiKey.id, { product: 'SHARED', up: 0n, down: MB, at: NOW });
});
afterAll(() => services[Symbol.asyncDispose]());

async function data(ctx: OperationContext, source: string, variables = {}): Promise<unknown> {
  const { data: found, errors } = await run(ctx, source, variables);
  expect(errors).toBeUndefined();
  return JSON.parse(JSON.stringify(found));
}

const keyId = (): string => encodeNodeId('ApiKey', account.apiKey.id);

describe('nodes', () => {
  const LIMITS = 'limits { daily { limit used remaining resetsAt } weekly { resetsAt } monthly { resetsAt } }';

  test('a key is the same through `node`, which Prisma loads, and through `apiKey`, one SQL statement', async () => {
    const fields = `id databaseId uuid name preview active createdAt lastUsedAt revokedAt lastRefusal { code } ${LIMITS}`;
    const source = `query ($id: ID!) { apiKey(id: $id) { ${fields} } node(id: $id) { ... on ApiKey { ${fields} } } }`;
    const { apiKey, node } = (await data(account.ctx, source, { id: keyId() })) as Record<string, unknown>;
    expect(node).toEqual(apiKey);
    expect(apiKey).toMatchObject({
      id: keyId(),
      databaseId: account.apiKey.id.toString(),
      preview: `${account.secret.slice(0, 8)}...`,
      active: true,
      limits: {
        daily: { limit: null, used: '0.003', remaining: null, resetsAt: '2027-02-02T00:00:00.000Z' },
        weekly: { resetsAt: '2027-02-08T00:00:00.000Z' },
        monthly: { resetsAt: '2027-03-01T00:00:00.000Z' },
      },
    });
  });

  test('user and transactions by global id', async () => {
    const source = `{ viewer { user { id balance authType plan permissions
      transactions(first: 1) { totalCount totalAmount edges { node { id amount apiKey { id name } } } } } } }`;
    const { viewer } = (await data(account.ctx, source)) as {
      viewer: { user: { id: string; transactions: { edges: { node: { id: string } }[] } } };
    };
    expect(viewer.user).toMatchObject({
      balance: '9.997',
      authType: 'EMAIL',
      plan: 'FREE',
      permissions: [],
      transactions: {
        totalCount: 2,
        totalAmount: '9.997',
        edges: [{ node: { amount: '-0.003', apiKey: { id: keyId(), name: 'test' } } }],
      },
    });
    const nodes = `query ($user: ID!, $transaction: ID!) {
      user: node(id: $user) { ... on User { balance limits { daily { used } } } }
      transaction: node(id: $transaction) { ... on Transaction { amount apiKey { name limits { daily { used } } } } } }`;
    const transaction = viewer.user.transactions.edges[0]?.node.id;
    expect(await data(account.ctx, nodes, { user: viewer.user.id, transaction })).toEqual({
      user: { balance: '9.997', limits: { daily: { used: '0.003' } } },
      transaction: { amount: '-0.003', apiKey: { name: 'test', limits: { daily: { used: '0.003' } } } },
    });
    const stranger = await makeAccount(services);
    for (const id of [viewer.user.id, transaction]) {
      const result = await run(stranger.ctx, 'query ($id: ID!) { node(id: $id) { id } }', { id });
      expect(result.errors?.[0]?.originalError).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('inputs', () => {
  const UPDATE = `mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { __typename
    ... on UpdateApiKeySuccess { apiKey { name limits { daily { limit } weekly { limit } } } }
    ... on Error { code message } ... on InputError { field } } }`;
  const update = (input: Record<string, unknown>): Promise<unknown> =>
    data(account.ctx, UPDATE, { input: { id: keyId(), ...input } });

  test('absent leaves alone, null clears, 0 blocks', async () => {
    const updated = (daily: string | null, weekly: string | null, name = 'test') => ({
      updateApiKey: {
        __typename: 'UpdateApiKeySuccess',
        apiKey: { name, limits: { daily: { limit: daily }, weekly: { limit: weekly } } },
      },
    });
    expect(await update({ dailyLimit: '0.000000001', weeklyLimit: '5' })).toEqual(updated('0.000000001', '5'));
    expect(await update({ dailyLimit: null })).toEqual(updated(null, '5'));
    expect(await update({ weeklyLimit: '0', name: ' new ' })).toEqual(updated(null, '0', 'new'));
    expect(await update({ weeklyLimit: null, name: 'test' })).toEqual(updated(null, null));
    expect(await update({})).toEqual(updated(null, null));
  });

  test.each([
    [{ dailyLimit: '-1' }, 'dailyLimit', 'dailyLimit: must not be negative'],
    [{ name: '  ' }, 'name', 'name: must not be empty'],
    [{ name: 'x'.repeat(101) }, 'name', 'name: must have at most 100 characters'],
  ])('%j is refused as typed error that names the field', async (input, field, message) => {
    expect(await update(input)).toEqual({
      updateApiKey: { __typename: 'InputError', code: 'BAD_INPUT', field, message },
    });
  });

  test.each(['1.0000000001', '1e3', '', ' 1', '9999999999.5', 'NaN', '--1', 5, 1.5, true])(
    'Credits refuses %j',
    async (dailyLimit) => {
      const { errors } = await run(account.ctx, UPDATE, { input: { id: keyId(), dailyLimit } });
      expect(errors?.[0]?.message).toContain('Credits must be a string with an exact decimal');
    },
  );

  test('a typed error may be all that is selected', async () => {
    const source = `mutation { revealApiKey(input: { id: "x" }) { ... on NotFoundError { code } } }`;
    expect(await data(account.ctx, source)).toEqual({ revealApiKey: { code: 'NOT_FOUND' } });
  });
});

describe('bounds', () => {
  test('pages are clamped and days too', async () => {
    const source = `{ viewer { user { transactionPage(limit: 1000, page: -1) { limit page total }
      beyond: transactionPage(page: 2147483647) { page transactions { id } }
      many: usageByDay(days: 1000) { date } few: usageByDay(days: 0) { date credits } usual: usageByDay { date } } } }`;
    const { viewer } = (await data(account.ctx, source)) as {
      viewer: { user: { many: unknown[]; few: unknown[]; usual: unknown[] } };
    };
    expect(viewer.user).toMatchObject({
      transactionPage: { limit: 100, page: 1, total: 2 },
      beyond: { page: 1_000_000, transactions: [] },
      few: [{ date: '2027-02-01', credits: '0.003' }],
    });
    expect([viewer.user.many.length, viewer.user.usual.length]).toEqual([90, 7]);
  });

  test('an operation that multiplies lists is refused', async () => {
    const page = (alias: string): string =>
      `${alias}: transactions(first: 100) { edges { node { id amount createdAt subtype apiKey { id name } } } }`;
    const source = `{ viewer { user { ${Array.from({ length: 20 }, (_, n) => page(`p${n}`)).join(' ')} } } }`;
    const { prepare } = createPreparer(schema);
    expect(prepare({ query: source }).errors?.[0]?.extensions['code']).toBe('OPERATION_TOO_COSTLY');
    expect(prepare({ query: `{ viewer { user { ${page('one')} } } }` }).errors).toBeUndefined();
  });

  test('hot reads are one statement each', async () => {
    const statements: string[] = [];
    const { query } = services.db;
    const counted: TestServices['db'] = {
      ...services.db,
      query: (statement, values) => {
        statements.push(statement.name);
        return query(statement, values);
      },
    };
    const ctx = contextOf({ ...services, db: counted }, account.ctx.viewer);
    const count = async (source: string): Promise<string[]> => {
      statements.length = 0;
      await data(ctx, source);
      return [...statements];
    };
    expect(await count('{ viewer { user { balance } remaining } }')).toEqual(['viewerBalance']);
    const window = '{ limit used remaining resetsAt }';
    const limits = `limits { daily ${window} weekly ${window} monthly ${window} }`;
    expect(await count(`{ viewer { user { apiKeyList { id name ${limits} } } } }`)).toEqual(['apiKeysOfUserBrief']);
    const node = 'edges { node { id amount createdAt apiKey { name } } }';
    expect(await count(`{ viewer { user { transactions(first: 50) { totalCount totalAmount ${node} } } } }`)).toEqual([
      'transactions_any_00000011',
    ]);
    expect(await count('{ viewer { user { usageByDay(days: 30) { date shared { credits } credits } } } }')).toEqual([
      'usageByDay',
    ]);
    expect(await count(`{ viewer { user { username ${limits} } apiKey { id } remaining } }`)).toEqual([
      'viewerBySession',
    ]);
    expect(await count(`{ viewer { user { ${limits} } remaining } }`)).toEqual(['viewerLimits']);
    const update = `mutation { updateApiKey(input: { id: "${keyId()}", dailyLimit: "7" }) {
      ... on UpdateApiKeySuccess { apiKey { id } } } }`;
    expect(await count(update)).toEqual(['apiKeyLimitsBrief']);
  });
});
