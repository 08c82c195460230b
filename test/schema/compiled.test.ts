import { parse } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { encodeNodeId } from '../../src/schema/ids.ts';
import { schema } from '../../src/schema/index.ts';
import { NANO } from '../../src/units.ts';
import { makeAccount, openTestServices, run, spend, type TestAccount, type TestServices } from '../harness/context.ts';

const NOW = new Date('2027-02-01T10:30:00Z');

let services: TestServices;
let account: TestAccount;
beforeAll(async () => {
  services = await openTestServices(() => NOW);
  account = await makeAccount(services, { credits: 10n * NANO });
  await spend(services, account.apiKey.id, { product: 'SHARED', up: 1n, down: 2n, at: NOW });
});
afterAll(() => services[Symbol.asyncDispose]());

const PRODUCT = '{ product bytesUp bytesDown credits }';
const PERIOD = `shared ${PRODUCT} dedicated ${PRODUCT} browser ${PRODUCT} credits deposits`;
const WINDOW = '{ limit used remaining resetsAt }';
const LIMITS = `limits { daily ${WINDOW} weekly ${WINDOW} monthly ${WINDOW} }`;
const KEY = `id name preview active ${LIMITS} lastRefusal { code message at }`;
const TRANSACTION = 'id type subtype amount apiKey { name } product status createdAt label: subtypeLabel(language: FR)';

test.each([
  ['viewer', `{ viewer { user { id balance ${LIMITS} } remaining apiKey { ${KEY} } } }`],
  ['keys', `{ viewer { user { apiKeyList { ${KEY} } apiKeys { totalCount edges { cursor node { ${KEY} } } } } } }`],
  [
    'transactions',
    `fragment Totals on UserTransactionsConnection { totalCount totalAmount }
     { viewer { user { transactions(first: 50) { ...Totals pageInfo { hasNextPage endCursor } edges { node { ${TRANSACTION} } } }
       transactionPage(limit: 5) { total transactions { ${TRANSACTION} } } } } }`,
  ],
  ['usage', `{ viewer { user { usageByDay(days: 30) { date ${PERIOD} } usageByHour { hour startsAt ${PERIOD} } } } }`],
  [
    'summary',
    '{ viewer { user { balanceSummary { type total count subtypes { subtype subtypeLabel total count } } } } }',
  ],
  [
    'a typed error',
    `mutation { revealApiKey(input: { id: "${encodeNodeId('ApiKey', 999)}" }) {
       __typename ... on RevealApiKeySuccess { secret } ... on Error { code message } ... on InputError { field } } }`,
  ],
  [
    'a refused input',
    `mutation { createApiKey(input: { name: "" }) {
       __typename ... on CreateApiKeySuccess { secret } ... on Error { code message } ... on InputError { field } } }`,
  ],
])('compiled and interpreted, the answer is the same: %s', async (_what, source) => {
  const compiled = compileQuery(schema, parse(source));
  if (!isCompiledQuery(compiled)) throw new Error(JSON.stringify(compiled.errors));
  const interpreted = await run(account.ctx, source);
  expect(interpreted.errors).toBeUndefined();
  const result = await compiled.query({}, { ...account.ctx }, {});
  expect(JSON.stringify(result)).toBe(JSON.stringify(interpreted));
});

test('Credits given as variables arrive exactly; written into the document it is interpreted', async () => {
  const update = (
    head: string,
    limit: string,
  ): string => `mutation ${head} { updateLimits(input: { dailyLimit: ${limit} }) {
    ... on UpdateLimitsSuccess { user { limits { daily { limit } } } } } }`;
  const compiled = compileQuery(schema, parse(update('($limit: Credits)', '$limit')));
  if (!isCompiledQuery(compiled)) throw new Error(JSON.stringify(compiled.errors));
  const { data } = await compiled.query({}, { ...account.ctx }, { limit: '1234567890.000000001' });
  expect(data).toMatchObject({ updateLimits: { user: { limits: { daily: { limit: '1234567890.000000001' } } } } });
  // graphql-jit writes literals into its code as JSON, which has no BigInt; the executor then falls back.
  expect(isCompiledQuery(compileQuery(schema, parse(update('', '"5"'))))).toBe(false);
});
