import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { OperationContext } from '../../src/context.ts';
import { createApiKey } from '../../src/resolvers/apiKeys/createApiKey.ts';
import { linkWallet } from '../../src/resolvers/wallets/linkWallet.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { asSession, contextOf, makeAccount, openTestServices, run, type TestServices } from '../harness/context.ts';
import { newClient, newKey, signChallenge, signInWithKey } from '../harness/wallet.ts';

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

const SIGN_IN = `mutation ($input: SignInWithWalletInput!) { signInWithWallet(input: $input) {
  __typename ... on SignInWithWalletSuccess { token refreshToken expiresAt user { username walletAddress authType } }
  ... on InputError { code field } ... on AuthenticationError { code } } }`;
const CHALLENGE = `mutation ($input: CreateWalletChallengeInput!) { createWalletChallenge(input: $input) {
  __typename ... on CreateWalletChallengeSuccess { message nonce expiresAt }
  ... on InputError { code field } ... on ThrottledError { code retryAfterSeconds } } }`;

const answer = async (document: string, input: object, ctx = newClient(services)): Promise<unknown> => {
  const { data, errors } = await run(ctx, document, { input });
  expect(errors).toBeUndefined();
  return Object.values(data ?? {})[0];
};

test('a wallet signs in over GraphQL; its name is the start of its address, and is not stored', async () => {
  const key = newKey();
  const ctx = newClient(services);
  const asked = await answer(CHALLENGE, { address: key.address }, ctx);
  expect(asked).toMatchObject({ __typename: 'CreateWalletChallengeSuccess', nonce: expect.stringMatching(/^\w{32}$/) });
  const { message } = asked as { message: string };
  const signature = await key.signMessage({ message });
  const stored = key.address.toLowerCase();
  expect(await answer(SIGN_IN, { address: key.address, message, signature }, ctx)).toMatchObject({
    __typename: 'SignInWithWalletSuccess',
    user: { username: `${stored.slice(0, 6)}...`, walletAddress: stored, authType: 'WALLET' },
  });
});

test('an account with an e-mail address gets no name from its wallet', async () => {
  const { ctx } = await makeAccount(services);
  await linkWallet(ctx, await signChallenge(newClient(services), newKey(), { purpose: 'LINK' }));
  const { data } = await run(ctx, '{ viewer { user { username authType } } }');
  expect(data).toEqual({ viewer: { user: { username: null, authType: 'EMAIL' } } });
});

describe('inputs are bounded and checked', () => {
  const good = { address: newKey().address, message: 'x', signature: '0x' };
  test.each([
    ['signature', 'nothing', ''],
    ['signature', 'no prefix', 'ab'.repeat(65)],
    ['signature', 'half a byte', '0xabc'],
    ['signature', 'other letters', '0xzz'],
    ['signature', 'a line break at the end', '0xab\n'],
    ['signature', 'a byte too many', `0x${'ab'.repeat(8_193)}`],
    ['message', 'nothing', ''],
    ['message', 'too much', 'x'.repeat(1_001)],
    ['message', 'U+0000', 'a\0b'],
    ['message', 'half a surrogate pair', 'a\ud800b'],
    ['address', 'too much', `0x${'a'.repeat(99)}`],
    ['address', 'a line break', `${good.address}\n`],
  ])('%s: %s', async (field, _case, value) => {
    expect(await answer(SIGN_IN, { ...good, [field]: value })).toEqual({
      __typename: 'InputError',
      code: 'BAD_INPUT',
      field,
    });
  });
  test('the longest signature is looked at', async () => {
    const key = newKey();
    const ctx = newClient(services);
    const proof = await signChallenge(ctx, key);
    // 65 bytes would be answered here; for more, a chain would have to be asked.
    const { errors } = await run(ctx, SIGN_IN, { input: { ...proof, signature: `0x${'ab'.repeat(8_192)}` } });
    expect(errors?.[0]?.originalError).toMatchObject({ code: 'UNAVAILABLE' });
  });
  test.each(['0', '-1', '9007199254740992'])('chain %s', async (chainId) => {
    const { address } = good;
    expect(await answer(CHALLENGE, { address, chainId })).toMatchObject({ code: 'BAD_INPUT', field: 'chainId' });
  });
});

test('what was merged is as absent as what never was, byte for byte', async () => {
  const wallet = newKey();
  const { user } = await signInWithKey(newClient(services), wallet);
  const old = asSession(services, user);
  const { apiKey } = await createApiKey(old, { name: 'moves' });
  const { ctx } = await makeAccount(services);
  const stranger = await makeAccount(services);
  await linkWallet(ctx, await signChallenge(newClient(services), wallet, { purpose: 'LINK' }));
  const ask = async (who: OperationContext, id: string) =>
    JSON.stringify(await run(who, 'query ($id: ID!) { node(id: $id) { id } }', { id }));
  const unknown = await ask(ctx, encodeNodeId('User', 999_999_999n));
  expect(unknown).toContain('There is no such object');
  expect(await ask(ctx, encodeNodeId('User', user.id))).toBe(unknown);
  const keyId = encodeNodeId('ApiKey', apiKey.id);
  expect(await ask(ctx, keyId)).toContain(keyId);
  // Nor to others, nor to who was the old account.
  for (const who of [stranger.ctx, old]) expect(await ask(who, keyId)).toBe(unknown);
  const anonymous = contextOf(services, null);
  const [foreign, none] = [await ask(anonymous, keyId), await ask(anonymous, encodeNodeId('ApiKey', 999_999_999n))];
  expect(foreign).toBe(none);
});
