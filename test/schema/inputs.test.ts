import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { encodeNodeId } from '../../src/schema/ids.ts';

import {
  asSession,
  makeAccount,
  openTestServices,
  PASSWORD,
  run,
  type TestAccount,
  type TestServices,
} from '../harness/context.ts';

let services: TestServices;
let account: TestAccount;
beforeAll(async () => {
  services = await openTestServices();
  account = await makeAccount(services);
});
afterAll(() => services[Symbol.asyncDispose]());

/** Answer of a mutation called by the operator. */
async function answer(name: string, input: Readonly<Record<string, unknown>>): Promise<unknown> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const source = `mutation ($input: ${type}!) { done: ${name}(input: $input) {
    __typename ... on Error { code message } ... on InputError { field } } }`;
  const operator = asSession(services, { id: account.user.id, role: 'ADMIN' });
  const { data, errors } = await run(operator, source, { input });
  expect(errors).toBeUndefined();
  return { ...(data?.['done'] as Record<string, unknown>) };
}

const refusal = (field: string, message: string) => ({
  __typename: 'InputError',
  code: 'BAD_INPUT',
  field,
  message: `${field}: ${message}`,
});

describe('text', () => {
  const UNFIT = {
    'U+0000': 'a\0b',
    'a line feed': 'a\nb',
    'a line feed at the end': 'ab\n',
    'U+001B': 'a\u001bb',
    'U+007F': 'a\u007fb',
    'U+0085': 'a\u0085b',
    'a lone high surrogate': 'a\ud800b',
    'a lone low surrogate': 'ab\udc00',
  };
  const adjustment = { userId: encodeNodeId('User', 1), amount: '1', reason: 'because', idempotencyKey: 'text' };
  const person = { email: 'text@example.com', password: PASSWORD, username: 'text' };
  const keyId = (): string => encodeNodeId('ApiKey', account.apiKey.id);
  const inputs: [string, string, () => Record<string, unknown>][] = [
    ['createApiKey', 'name', () => ({})],
    ['updateApiKey', 'name', () => ({ id: keyId() })],
    ['createAccount', 'email', () => person],
    ['createAccount', 'username', () => person],
    ['createAccount', 'password', () => person],
    ['adjustBalance', 'reason', () => adjustment],
    ['adjustBalance', 'idempotencyKey', () => adjustment],
    ['signIn', 'email', () => ({ password: PASSWORD })],
    ['signIn', 'password', () => ({ email: 'text@example.com' })],
  ];

  test.each(inputs)('%s: %s holds neither control characters nor halves of characters', async (name, field, rest) => {
    for (const [what, text] of Object.entries(UNFIT)) {
      const padded = field === 'password' ? `${PASSWORD}${text}` : text;
      expect(await answer(name, { ...rest(), [field]: padded }), what).toEqual(
        refusal(field, 'must not hold control characters or unpaired surrogates'),
      );
    }
  });

  test('of any script is taken as it is', async () => {
    const { data } = await run(
      account.ctx,
      'mutation ($name: String!) { createApiKey(input: { name: $name }) { ... on CreateApiKeySuccess { apiKey { name } } } }',
      { name: ' Clé № 1 😀 漢字 ' },
    );
    expect(data).toEqual({ createApiKey: { apiKey: { name: 'Clé № 1 😀 漢字' } } });
  });
});

describe('grants', () => {
  const MOST = '1000000000';
  const adjust = (amount: string, idempotencyKey: string): Promise<unknown> =>
    answer('adjustBalance', { userId: userId(), amount, reason: 'grant', idempotencyKey });
  const userId = (): string => encodeNodeId('User', account.user.id);

  test('move at most a billion credits at once', async () => {
    const message = 'must be at most 1000000000 credits';
    expect(await adjust(`${MOST}.000000001`, 'above')).toEqual(refusal('amount', message));
    expect(await adjust(`-${MOST}.000000001`, 'below')).toEqual(
      refusal('amount', 'must be at least -1000000000 credits'),
    );
    const person = { email: 'grants@example.com', password: PASSWORD };
    expect(await answer('createAccount', { ...person, credits: `${MOST}.1` })).toEqual(refusal('credits', message));
    expect(await answer('createAccount', { ...person, credits: MOST })).toEqual({
      __typename: 'CreateAccountSuccess',
    });
  });

  test('that a balance cannot hold are refused, and leave it as it was', async () => {
    const success = { __typename: 'AdjustBalanceSuccess' };
    for (let n = 1; n <= 9; n += 1) expect(await adjust(MOST, `grant ${n}`)).toEqual(success);
    expect(await adjust(MOST, 'too much')).toEqual(refusal('amount', 'the balance cannot hold that much'));
    const { data } = await run(account.ctx, '{ viewer { user { balance } } }');
    expect(data).toEqual({ viewer: { user: { balance: '9000000000' } } });
    expect(await adjust('223372036.854775807', 'to the brim')).toEqual(success);
    expect(await adjust('0.000000001', 'too much')).toEqual(refusal('amount', 'the balance cannot hold that much'));
  });

  test('leave a ledger that can still be checked', async () => {
    const operator = asSession(services, { id: account.user.id, role: 'ADMIN' });
    const { data, errors } = await run(operator, '{ ledgerCheck { drift violations } }');
    expect(errors).toBeUndefined();
    expect(data).toEqual({ ledgerCheck: { drift: '0', violations: [] } });
  });
});
