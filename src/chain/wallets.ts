import type { Hex } from 'viem';

import type { SignedText, Wallets } from '../context.ts';
import { AppError } from '../errors.ts';
import { createEndpoint, type Endpoint } from './endpoint.ts';

/** Ethereum: messages of plain wallets need no RPC. */
const MAINNET = 1n;

/** `0x`, then r, s and v: what the key of an account makes (EIP-191). */
const PLAIN_SIGNATURE = /^0x[0-9a-fA-F]{130}$/;
/**
 * Ends a signature that brings its own delegation (ERC-8010). Delegations are public on the chain: whoever replays one
 * with an initialisation of their own could speak for its account.
 */
const ERC8010_SUFFIX = '8010'.repeat(16);

/** Verifies signatures of wallets. @param rpcUrls endpoint of each chain, by its number in decimal */
export function createWallets(rpcUrls: Readonly<Record<string, string>>): Wallets {
  const endpoints = new Map<bigint, Endpoint>(
    Object.entries(rpcUrls).map(([chainId, url]) => [BigInt(chainId), createEndpoint(BigInt(chainId), url)]),
  );
  return {
    supports: (chainId) => chainId === MAINNET || endpoints.has(chainId),
    signedByKey,
    async verify(signed, { allow, signal } = {}) {
      if (await signedByKey(signed)) return true;
      if (signed.signature.toLowerCase().endsWith(ERC8010_SUFFIX)) return false;
      const endpoint = endpoints.get(signed.chainId);
      if (endpoint !== undefined) {
        // Also for what looks like the signature of a key: contracts take those of their owners.
        await allow?.();
        return endpoint.accepts(signed, signal);
      }
      if (PLAIN_SIGNATURE.test(signed.signature)) return false;
      const message = `Wallets that are contracts cannot sign in here: this server does not ask chain ${signed.chainId}.`;
      throw new AppError('UNAVAILABLE', { message });
    },
  };
}

async function signedByKey({ address, message, signature }: SignedText): Promise<boolean> {
  if (!PLAIN_SIGNATURE.test(signature)) return false;
  // Loaded when first needed: it takes as long as the rest of a start.
  const { verifyMessage } = await import('viem');
  try {
    return await verifyMessage({ address: address as Hex, message, signature: signature as Hex });
  } catch {
    // r, s or v are none.
    return false;
  }
}
