import type { Address } from 'viem';
import { generatePrivateKey, privateKeyToAccount, type PrivateKeyAccount } from 'viem/accounts';

import type { OperationContext, Services } from '../../src/context.ts';
import { createWalletChallenge } from '../../src/resolvers/wallets/createWalletChallenge.ts';
import type { ChallengePurpose } from '../../src/resolvers/wallets/message.ts';
import { signInWithWallet } from '../../src/resolvers/wallets/signInWithWallet.ts';
import type { SignedIn } from '../../src/resolvers/auth/signIn.ts';
import { contextOf } from './context.ts';

/** A new key of Ethereum, which is a wallet. */
export function newKey(): PrivateKeyAccount {
  return privateKeyToAccount(generatePrivateKey());
}

let clients = 0;

/** A context of nobody, from a client that never came before: it is throttled by nobody's doings. */
export function newClient(services: Services): OperationContext {
  clients += 1;
  return contextOf(services, null, `10.${clients >> 16}.${(clients >> 8) & 255}.${clients & 255}`);
}

export interface Proof {
  readonly address: Address;
  readonly message: string;
  readonly signature: `0x${string}`;
}

/** A message asked for and signed by a key, for its own address unless another is given. */
export async function signChallenge(
  ctx: OperationContext,
  key: PrivateKeyAccount,
  of: { readonly purpose?: ChallengePurpose; readonly address?: Address; readonly chainId?: bigint } = {},
): Promise<Proof> {
  const { purpose = 'SIGN_IN', address = key.address, chainId = 1n } = of;
  const { message } = await createWalletChallenge(ctx, { address, purpose, chainId });
  return { address, message, signature: await key.signMessage({ message }) };
}

/** Signs in with a key: the first time, this makes its account. */
export async function signInWithKey(ctx: OperationContext, key: PrivateKeyAccount): Promise<SignedIn> {
  return signInWithWallet(ctx, { ...(await signChallenge(ctx, key)), kind: 'GRAPHQL' });
}
