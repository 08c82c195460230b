import { createPublicClient, http, type Address, type Hex, type PublicClient } from 'viem';

import type { Wallets } from '../context.ts';

/** Ethereum: messages of plain wallets need no RPC. */
const MAINNET = 1n;
const RPC_TIMEOUT_MS = 5_000;

/** Verifies signatures of wallets. @param rpcUrls endpoint of each chain, by its number in decimal */
export function createWallets(rpcUrls: Readonly<Record<string, string>>): Wallets {
  const clients = new Map<bigint, PublicClient>();
  for (const [chainId, url] of Object.entries(rpcUrls)) {
    const transport = http(url, { timeout: RPC_TIMEOUT_MS, retryCount: 0 });
    clients.set(BigInt(chainId), createPublicClient({ transport }));
  }
  const offline = createPublicClient({ transport: http('http://127.0.0.1:9', { retryCount: 0 }) });
  return {
    supports: (chainId) => chainId === MAINNET || clients.has(chainId),
    verify({ address, message, signature, chainId }) {
      const client = clients.get(chainId) ?? offline;
      return client.verifyMessage({ address: address as Address, message, signature: signature as Hex });
    },
  };
}
