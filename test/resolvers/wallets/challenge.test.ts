import { getAddress } from 'viem';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { deleteChallenges, MAX_OUTSTANDING, newestChallenges } from '../../../src/resolvers/wallets/challenges.ts';
import { createWalletChallenge } from '../../../src/resolvers/wallets/createWalletChallenge.ts';
import { MAX_CHALLENGES_ASKED } from '../../../src/throttle.ts';
import { contextOf, openTestServices, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge } from '../../harness/wallet.ts';
import { signInWithWallet } from '../../../src/resolvers/wallets/signInWithWallet.ts';

const COUNT = sql('testChallengeCount', 'select count(*)::int as count from wallet_challenge where address = $1');
const AGE = sql(
  'testChallengeAge',
  `update wallet_challenge set expires_at = clock_timestamp() - interval '6 minutes' where nonce = $1`,
);
const NOW = new Date('2026-03-28T12:00:00.000Z');

let services: TestServices;
beforeAll(async () => void (services = await openTestServices(() => NOW)));
afterAll(() => services[Symbol.asyncDispose]());

const ask = (address: string, chainId = 1n) =>
  createWalletChallenge(newClient(services), { address, purpose: 'SIGN_IN', chainId });
const count = async (address: string): Promise<number | undefined> =>
  (await services.db.query<{ count: number }>(COUNT, [address.toLowerCase()]))[0]?.count;

test('the message says who asks whom for what, where and until when', async () => {
  const { address } = newKey();
  const { message, nonce, expiresAt } = await ask(address);
  expect(nonce).toMatch(/^[0-9a-f]{32}$/);
  expect(expiresAt).toEqual(new Date('2026-03-28T12:05:00.000Z'));
  expect(message.split('\n')).toEqual([
    'localhost:4000 wants you to sign in with your Ethereum account:',
    address,
    '',
    'Connexion a Le Proxy Francais',
    '',
    'URI: http://localhost:4000',
    'Version: 1',
    'Chain ID: 1',
    `Nonce: ${nonce}`,
    'Issued At: 2026-03-28T12:00:00.000Z',
    'Expiration Time: 2026-03-28T12:05:00.000Z',
  ]);
});

test('to link, it says so', async () => {
  const { address } = newKey();
  const { message } = await createWalletChallenge(newClient(services), { address, purpose: 'LINK', chainId: 1n });
  expect(message).toContain('Lier ce wallet');
  expect(message).toContain('link');
});

test('an address is taken in one case, or in both with the right checksum', async () => {
  const { address } = newKey();
  const digits = address.slice(2);
  for (const spelled of [address, address.toLowerCase(), `0x${digits.toUpperCase()}`]) {
    expect((await ask(spelled)).message).toContain(getAddress(address));
  }
  const letter = digits.search(/[a-f]/i) + 2;
  const at = address.charAt(letter);
  const swapped = at === at.toLowerCase() ? at.toUpperCase() : at.toLowerCase();
  const before = await count(address);
  for (const wrong of [
    address.slice(0, letter) + swapped + address.slice(letter + 1),
    digits,
    `0X${digits}`,
    address.slice(0, -1),
    `${address}0`,
    ` ${address}`,
    'vitalik.eth',
    '',
  ]) {
    await expect(ask(wrong), wrong).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'address' });
  }
  expect(await count(address)).toBe(before);
});

test('a chain without RPC is not offered, except Ethereum', async () => {
  const { address } = newKey();
  await expect(ask(address, 137n)).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'chainId' });
  expect(await count(address)).toBe(0);
});

describe('limits', () => {
  test('a client asks so often and no more; the others are not concerned', async () => {
    const ctx = newClient(services);
    const asked = () => createWalletChallenge(ctx, { address: newKey().address, purpose: 'SIGN_IN', chainId: 1n });
    for (let times = 0; times < MAX_CHALLENGES_ASKED; times += 1) await asked();
    const refused: unknown = await asked().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'THROTTLED' });
    expect((refused as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThan(0);
    await ask(newKey().address);
  });

  test('a client has so many outstanding of one wallet and no more, and those stay good', async () => {
    const key = newKey();
    const mine = newClient(services);
    const again = () => createWalletChallenge(mine, { address: key.address, purpose: 'SIGN_IN', chainId: 1n });
    const proof = await signChallenge(mine, key);
    for (let times = 1; times < MAX_OUTSTANDING; times += 1) await again();
    await expect(again()).rejects.toMatchObject({ code: 'THROTTLED', retryAfterSeconds: 60 });
    expect(await count(key.address)).toBe(MAX_OUTSTANDING);
    await signInWithWallet(mine, { ...proof, kind: 'LPF' });
    await again();
    await createWalletChallenge(mine, { address: newKey().address, purpose: 'SIGN_IN', chainId: 1n });
  });

  test('strangers cannot lock a wallet out: neither with many addresses of theirs, nor with many networks', async () => {
    const key = newKey();
    for (let host = 1; host <= 70; host += 1) {
      for (const address of [`2001:db8:7:7::${host.toString(16)}`, `203.0.113.${host}`, `2001:db8:9:${host}::1`]) {
        const stranger = contextOf(services, null, address);
        const asked = createWalletChallenge(stranger, { address: key.address, purpose: 'SIGN_IN', chainId: 1n });
        await asked.catch(() => undefined);
      }
    }
    // Of the first network so many, whichever of its addresses asks.
    expect(await count(key.address)).toBe(MAX_OUTSTANDING + 2 * 70);
    const mine = newClient(services);
    await signInWithWallet(mine, { ...(await signChallenge(mine, key)), kind: 'LPF' });
  });

  test('a signature without its message is compared with a bounded number, one’s own first', async () => {
    const { address } = newKey();
    for (let stranger = 0; stranger < 2 * MAX_OUTSTANDING; stranger += 1) await ask(address);
    const hosts = ['2001:db8:8:8::1', '2001:db8:8:8::2'].map((host) => contextOf(services, null, host));
    const nonces: string[] = [];
    for (const host of hosts)
      nonces.push((await createWalletChallenge(host, { address, purpose: 'LINK', chainId: 1n })).nonce);
    for (const host of hosts) {
      const found = (await newestChallenges(host, address.toLowerCase(), NOW)).map(({ nonce }) => nonce);
      expect(found).toHaveLength(MAX_OUTSTANDING);
      expect(found.slice(0, 2).toSorted()).toEqual(nonces.toSorted());
    }
  });
});

test('old messages are deleted, others stay', async () => {
  const later = { ...services, now: () => new Date() };
  const { address } = newKey();
  const asked = () => createWalletChallenge(newClient(later), { address, purpose: 'SIGN_IN', chainId: 1n });
  const [old] = [await asked(), await asked()];
  await services.db.query(AGE, [old.nonce]);
  while ((await deleteChallenges(services.db, 10)) === 10);
  expect(await count(address)).toBe(1);
});
