import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { pad, type Address, type Hex } from 'viem';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createWallets } from '../../../src/chain/wallets.ts';
import type { ChainTerms, OperationContext, Wallets } from '../../../src/context.ts';
import { sql } from '../../../src/database/sql.ts';
import { linkWallet } from '../../../src/resolvers/wallets/linkWallet.ts';
import { MAX_ASKED } from '../../../src/resolvers/wallets/proveWallet.ts';
import { signInWithWallet } from '../../../src/resolvers/wallets/signInWithWallet.ts';
import { MAX_CHAIN_QUESTIONS } from '../../../src/throttle.ts';
import { hasAnvil, counterfactual, startChain, type TestChain } from '../../harness/anvil.ts';
import { makeAccount, openTestServices, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signChallenge, type Proof } from '../../harness/wallet.ts';

const USED = sql('testUsedChallenges', 'select nonce from wallet_challenge where address = $1 and used_at is not null');
const OWNED = 31_337n;
const OTHER = 31_338n;
/** An endpoint that nobody is behind. */
const AWAY = 31_339n;

let services: TestServices;
let chain: TestChain;
let silent: Server;
const owner = newKey();
let wallet: Address;
let ghost: Address;
let factory: Address;

describe.skipIf(!hasAnvil)('on local chains (package @foundry-rs/anvil-linux-amd64)', () => {
  beforeAll(async () => {
    silent = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const away = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    chain = await startChain(OWNED);
    const opened = await openTestServices();
    services = { ...opened, wallets: createWallets({ 31337: chain.url, 31338: away, 31339: away }) };
    wallet = await chain.deploy('OwnedWallet', owner.address);
    factory = await chain.deploy('WalletFactory');
    ghost = await chain.read('WalletFactory', factory, 'addressOf', owner.address, pad('0x01'));
  });
  afterAll(async () => {
    await services[Symbol.asyncDispose]();
    await chain[Symbol.asyncDispose]();
    await new Promise((resolve) => silent.close(resolve));
  });

  const signIn = (ctx: OperationContext, proof: Proof) => signInWithWallet(ctx, { ...proof, kind: 'GRAPHQL' });
  const wrap = (signature: Hex): Hex =>
    counterfactual({ name: 'WalletFactory', address: factory, args: [owner.address, pad('0x01')] }, signature);

  describe('a wallet that is a contract', () => {
    test('signs in by its owner’s signature (EIP-1271)', async () => {
      const ctx = newClient(services);
      const { user } = await signIn(ctx, await signChallenge(ctx, owner, { address: wallet, chainId: OWNED }));
      expect(user.walletAddress).toBe(wallet.toLowerCase());
    });

    test('before it is deployed (ERC-6492)', async () => {
      const ctx = newClient(services);
      const proof = await signChallenge(ctx, owner, { address: ghost, chainId: OWNED });
      const { user } = await signIn(ctx, { ...proof, signature: wrap(proof.signature) });
      expect(user.walletAddress).toBe(ghost.toLowerCase());
      expect(await chain.hasCode(ghost)).toBe(false);
    });

    test('not by a signature of somebody else, wrapped or not', async () => {
      const ctx = newClient(services);
      const attacker = newKey();
      for (const [address, change] of [
        [wallet, (signature: Hex) => signature],
        [ghost, wrap],
      ] as const) {
        const proof = await signChallenge(ctx, attacker, { address, chainId: OWNED });
        const signature = change(proof.signature);
        await expect(signIn(ctx, { ...proof, signature })).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' });
      }
    });

    test('not on a chain where it is not known: Ethereum, of which no endpoint is configured', async () => {
      const ctx = newClient(services);
      const proof = await signChallenge(ctx, owner, { address: wallet });
      await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'INVALID_SIGNATURE' });
    });

    test('is linked, with the message and without', async () => {
      for (const named of [true, false]) {
        const { ctx, user } = await makeAccount(services);
        const contract = await chain.deploy('OwnedWallet', owner.address);
        const of = { address: contract, chainId: OWNED, purpose: 'LINK' } as const;
        const { message, ...proof } = await signChallenge(newClient(services), owner, of);
        const linked = await linkWallet(ctx, named ? { ...proof, message } : proof);
        expect(linked).toMatchObject({ merged: false, user: { id: user.id, walletAddress: contract.toLowerCase() } });
      }
    });
  });

  describe('a chain that does not answer', () => {
    test('is nobody’s fault: the message stays good, and nothing counts as a failure to sign in', async () => {
      const ctx = newClient(services);
      const proof = await signChallenge(ctx, owner, { address: wallet, chainId: OTHER });
      for (let times = 0; times < 12; times += 1) {
        await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 });
      }
      const back = { ...ctx, wallets: { ...ctx.wallets, verify: () => Promise.resolve(true) } };
      await signIn(back, proof);
      await expect(signIn(back, proof)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
    });

    test('of many who try at once with one message, each either waits for the chain or finds it taken', async () => {
      const ctx = newClient(services);
      const proof = await signChallenge(ctx, owner, { address: wallet, chainId: AWAY });
      const attempts = Array.from({ length: 10 }, () => signIn(newClient(services), proof));
      const codes = (await Promise.allSettled(attempts)).map((result) =>
        result.status === 'rejected' ? (result.reason as { code: string }).code : 'OK',
      );
      expect(codes).toContain('UNAVAILABLE');
      expect(codes.filter((code) => code !== 'UNAVAILABLE' && code !== 'INVALID_CHALLENGE')).toEqual([]);
    });

    test('does not keep keys from signing in', async () => {
      const ctx = newClient(services);
      const key = newKey();
      await signIn(ctx, await signChallenge(ctx, key, { chainId: AWAY }));
    });

    test('linking without a message uses none up', async () => {
      const { ctx } = await makeAccount(services);
      const address = newKey().address;
      const { signature } = await signChallenge(newClient(services), owner, {
        address,
        chainId: AWAY,
        purpose: 'LINK',
      });
      await expect(linkWallet(ctx, { address, signature })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await services.db.query(USED, [address.toLowerCase()])).toEqual([]);
    });
  });

  describe('questions to a chain', () => {
    /** The same wallets; notes on what terms they are asked, and how often a chain had to be. */
    function counting(ctx: OperationContext) {
      const seen: { terms: (ChainTerms | undefined)[]; questions: number } = { terms: [], questions: 0 };
      const wallets: Wallets = {
        ...ctx.wallets,
        verify: (signed, terms) => {
          seen.terms.push(terms);
          const allow = async (): Promise<void> => {
            await terms?.allow?.();
            seen.questions += 1;
          };
          return ctx.wallets.verify(signed, { ...terms, allow });
        },
      };
      return { ctx: { ...ctx, wallets }, seen };
    }

    test('of one client are so many, whatever comes of them; the message stays good', async () => {
      const { ctx, seen } = counting(newClient(services));
      const proof = await signChallenge(ctx, owner, { address: wallet, chainId: AWAY });
      for (let times = 0; times < MAX_CHAIN_QUESTIONS; times += 1)
        await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(signIn(ctx, proof)).rejects.toMatchObject({ code: 'THROTTLED' });
      expect(seen.questions).toBe(MAX_CHAIN_QUESTIONS);
      // Keys sign in as ever, and so do contracts from elsewhere.
      await signIn(ctx, await signChallenge(ctx, newKey(), { chainId: OWNED }));
      await expect(signIn(newClient(services), proof)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    test('that succeed count as well', async () => {
      const ctx = newClient(services);
      const of = { address: wallet, chainId: OWNED };
      const once = async () => signIn(ctx, await signChallenge(ctx, owner, of));
      for (let times = 0; times < MAX_CHAIN_QUESTIONS; times += 1) await once();
      await expect(once()).rejects.toMatchObject({ code: 'THROTTLED' });
    });

    test('are few for a signature without its message, and have one deadline for all of them', async () => {
      const { ctx, user } = await makeAccount(services);
      const { ctx: mine, seen } = counting({ ...newClient(services), viewer: ctx.viewer });
      const contract = await chain.deploy('OwnedWallet', owner.address);
      const of = { address: contract, chainId: OWNED, purpose: 'LINK' } as const;
      for (let times = 0; times < 5; times += 1) await signChallenge(mine, owner, of);
      const signature = await newKey().signMessage({ message: 'anything' });
      const viewer = { ...mine, viewer: ctx.viewer };
      await expect(linkWallet(viewer, { address: contract, signature })).rejects.toMatchObject({
        code: 'INVALID_SIGNATURE',
      });
      expect(seen.questions).toBe(MAX_ASKED);
      expect(new Set(seen.terms.map((terms) => terms?.signal))).toEqual(new Set([expect.any(AbortSignal)]));
      const { message: _message, ...proof } = await signChallenge(mine, owner, of);
      expect((await linkWallet(viewer, proof)).user).toMatchObject({ id: user.id });
    });
  });
});
