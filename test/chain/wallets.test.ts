import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { concatHex, keccak256, pad, stringToHex, type Address, type Hex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createWallets } from '../../src/chain/wallets.ts';
import type { Wallets } from '../../src/context.ts';
import { hasAnvil, counterfactual, startChain, type TestChain } from '../harness/anvil.ts';
import artifacts from '../harness/contracts/artifacts.json' with { type: 'json' };

const MESSAGE = 'Connexion a Le Proxy Francais\nNonce: 1';
const SALT = pad('0x01');
const owner = privateKeyToAccount(generatePrivateKey());
const attacker = privateKeyToAccount(generatePrivateKey());

let chain: TestChain;
let other: TestChain;
let wallets: Wallets;
let factory: Address;
let wallet: Address;
let ghost: Address;
let signature: Hex;

describe.skipIf(!hasAnvil)('on local chains (package @foundry-rs/anvil-linux-amd64)', () => {
  beforeAll(async () => {
    [chain, other] = await Promise.all([startChain(31_337n), startChain(31_338n)]);
    wallets = createWallets({ 31337: chain.url, 31338: other.url });
    factory = await chain.deploy('WalletFactory');
    wallet = await chain.deploy('OwnedWallet', owner.address);
    ghost = await chain.read('WalletFactory', factory, 'addressOf', owner.address, SALT);
    signature = await owner.signMessage({ message: MESSAGE });
  });
  afterAll(async () => {
    await chain[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  /** Whether the wallet, unless told otherwise, signed MESSAGE on the first chain. */
  function ask(signed: Hex, of: { address?: string; message?: string; chainId?: bigint } = {}): Promise<boolean> {
    return wallets.verify({ address: wallet, message: MESSAGE, chainId: 31_337n, ...of, signature: signed });
  }

  test('the committed contracts are compiled from the source', () => {
    const source = readFileSync(path.join(import.meta.dirname, '../harness/contracts/Wallets.sol'));
    expect(createHash('sha256').update(source).digest('hex'), 'run node scripts/contracts.mjs').toBe(artifacts.source);
  });

  describe('a wallet that is a key', () => {
    const offline = createWallets({});
    const asked = (signed: Hex, message = MESSAGE) =>
      offline.verify({ address: owner.address, message, signature: signed, chainId: 1n });

    test('needs no chain', async () => {
      expect(await asked(signature)).toBe(true);
      expect(await offline.signedByKey({ address: owner.address, message: MESSAGE, signature, chainId: 1n })).toBe(
        true,
      );
    });
    test('in any case of its address', async () => {
      const signed = { message: MESSAGE, signature, chainId: 1n };
      expect(await offline.verify({ ...signed, address: owner.address.toLowerCase() })).toBe(true);
    });
    test('has not signed what another key signed, nor another message', async () => {
      expect(await asked(await attacker.signMessage({ message: MESSAGE }))).toBe(false);
      expect(await asked(signature, `${MESSAGE} `)).toBe(false);
    });
    test.each([
      ['zeros', pad('0x00', { size: 65 })],
      ['no such v', `0x${'11'.repeat(64)}05` as const],
      ['r and s beyond the order of the curve', `0x${'ff'.repeat(64)}1b` as const],
    ])('signs with no %s', async (_case, malformed) => {
      expect(await asked(malformed)).toBe(false);
    });
    test('a signature of another length is no answer where no chain can be asked', async () => {
      await expect(asked('0x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(asked(`${signature}00`)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });
    test('is believed where a chain could be asked too', async () => {
      expect(await ask(signature, { address: owner.address })).toBe(true);
      expect(await ask(await attacker.signMessage({ message: MESSAGE }), { address: owner.address })).toBe(false);
    });
  });

  describe('a deployed contract (EIP-1271)', () => {
    test('says what its owner signed', async () => {
      expect(await ask(signature)).toBe(true);
    });
    test.each([
      ['another key', async () => ask(await attacker.signMessage({ message: MESSAGE }))],
      ['another message', async () => ask(await owner.signMessage({ message: 'another' }))],
      ['the hash without its prefix', async () => ask(await owner.sign({ hash: keccak256(stringToHex(MESSAGE)) }))],
      ['another chain, where it does not exist', () => ask(signature, { chainId: 31_338n })],
      ['an empty signature', () => ask('0x')],
      ['64 bytes', () => ask(signature.slice(0, -2) as Hex)],
      ['8 KiB of nothing', () => ask(`0x${'ab'.repeat(8_192)}`)],
    ])('not %s', async (_case, asked) => {
      expect(await asked()).toBe(false);
    });
    test.each(['WrongMagicWallet', 'TruthyWallet', 'RevertingWallet', 'EndlessWallet'] as const)(
      '%s has signed nothing, whatever it answers',
      async (name) => {
        const address = await chain.deploy(name);
        expect(await ask(signature, { address })).toBe(false);
        expect(await ask('0x', { address })).toBe(false);
      },
    );
  });

  describe('a contract that is not there yet (ERC-6492)', () => {
    const from = (name: 'WalletFactory' | 'AttackerFactory', address: Address, ...args: unknown[]) => ({
      name,
      address,
      args,
    });

    test('is asked where it would be, and nothing is left behind', async () => {
      const wrapped = counterfactual(from('WalletFactory', factory, owner.address, SALT), signature);
      expect(await ask(wrapped, { address: ghost })).toBe(true);
      expect(await chain.hasCode(ghost)).toBe(false);
    });
    test('not on a chain without its factory', async () => {
      const wrapped = counterfactual(from('WalletFactory', factory, owner.address, SALT), signature);
      expect(await ask(wrapped, { address: ghost, chainId: 31_338n })).toBe(false);
    });
    test('not for the signature of another key, or under another message', async () => {
      const create = from('WalletFactory', factory, owner.address, SALT);
      const signed = await attacker.signMessage({ message: MESSAGE });
      expect(await ask(counterfactual(create, signed), { address: ghost })).toBe(false);
      expect(await ask(counterfactual(create, signature), { address: ghost, message: 'another' })).toBe(false);
    });
    test('not for a wallet of the attacker that the same factory makes', async () => {
      const signed = await attacker.signMessage({ message: MESSAGE });
      const create = from('WalletFactory', factory, attacker.address, SALT);
      expect(await ask(counterfactual(create, signed), { address: ghost })).toBe(false);
    });
    test('the factory of an attacker speaks for no address but those of its own contracts', async () => {
      const attacking = await chain.deploy('AttackerFactory');
      const wrapped = counterfactual(from('AttackerFactory', attacking, SALT), '0x');
      for (const address of [owner.address, wallet, ghost, factory]) {
        expect(await ask(wrapped, { address })).toBe(false);
      }
    });
    test('wrapped twice: not, for there is one way to sign', async () => {
      const create = from('WalletFactory', factory, owner.address, SALT);
      const wrapped = counterfactual(create, counterfactual(create, signature));
      expect(await ask(wrapped, { address: ghost })).toBe(false);
    });
    test('also once it is there', async () => {
      const salt = pad('0x02');
      const address = await chain.read<Address>('WalletFactory', factory, 'addressOf', owner.address, salt);
      await chain.send('WalletFactory', factory, 'create', owner.address, salt);
      const wrapped = counterfactual(from('WalletFactory', factory, owner.address, salt), signature);
      expect(await ask(wrapped, { address })).toBe(true);
      expect(await ask(signature, { address })).toBe(true);
    });
  });

  test('a signature that brings its delegation (ERC-8010) is none', async () => {
    const suffix: Hex = `0x${'8010'.repeat(16)}`;
    expect(await ask(concatHex([signature, suffix]))).toBe(false);
    expect(await ask(concatHex([signature, suffix.toUpperCase().replace('0X', '0x') as Hex]))).toBe(false);
  });

  test('which chains are there', () => {
    expect([1n, 31_337n, 5n].map((id) => wallets.supports(id))).toEqual([true, true, false]);
  });
});
