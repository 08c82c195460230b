import type { OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { attempt } from '../auth/attempt.ts';
import { parseAddress } from './address.ts';
import { newestChallenges, restoreChallenge, takeChallenge, type Challenge } from './challenges.ts';
import { requireOwnMessage, type ChallengePurpose } from './message.ts';

export interface WalletProof {
  /** In any case. */
  readonly address: string;
  /** `0x` and hexadecimal digits. */
  readonly signature: string;
}

/**
 * Proves that a wallet has signed a message given out for this purpose. The message is taken before the signature is
 * looked at, so that it serves once, whatever comes of it; it is put back when the chain could not be asked.
 * @returns the address, lower case
 * @throws AppError BAD_INPUT; INVALID_CHALLENGE for a message that is not ours, of another purpose, used or expired;
 *   INVALID_SIGNATURE, which counts as a failure; THROTTLED after too many; UNAVAILABLE when the chain did not answer
 */
export async function proveWallet(
  ctx: OperationContext,
  { address: text, signature, message }: WalletProof & { readonly message: string },
  purpose: ChallengePurpose,
): Promise<string> {
  const wallet = await parseAddress(text);
  const address = wallet.stored;
  const { nonce } = await requireOwnMessage(ctx, message, wallet);
  const prove = async (): Promise<true | undefined> => {
    const at = ctx.now();
    const chainId = await takeChallenge(ctx.db, { nonce, message, purpose }, at);
    if (chainId === undefined) throw new AppError('INVALID_CHALLENGE');
    try {
      return (await ctx.wallets.verify({ address, message, signature, chainId })) || undefined;
    } catch (error) {
      await restoreChallenge(ctx.db, nonce, at);
      throw error;
    }
  };
  await attempt(ctx, address, { prove, refusal: 'INVALID_SIGNATURE' });
  return address;
}

/**
 * The same for who does not say which message was signed: any that the wallet has outstanding, of either purpose. Only
 * the one that fits is used up.
 * @returns the address, lower case
 * @throws AppError as `proveWallet`; INVALID_CHALLENGE when the wallet has no message outstanding
 */
export async function proveWalletUnnamed(
  ctx: OperationContext,
  { address: text, signature }: WalletProof,
): Promise<string> {
  const { stored: address } = await parseAddress(text);
  const prove = async (): Promise<true | undefined> => {
    const at = ctx.now();
    const outstanding = await newestChallenges(ctx, address, at);
    if (outstanding.length === 0) throw new AppError('INVALID_CHALLENGE');
    const signed = await findSigned(ctx.wallets, outstanding, { address, signature });
    if (signed === undefined) return undefined;
    if ((await takeChallenge(ctx.db, signed, at)) === undefined) throw new AppError('INVALID_CHALLENGE');
    return true;
  };
  await attempt(ctx, address, { prove, refusal: 'INVALID_SIGNATURE' });
  return address;
}

/** Keys first: only wallets that are contracts make us ask a chain, once per message. */
async function findSigned(
  wallets: OperationContext['wallets'],
  challenges: readonly Challenge[],
  proof: WalletProof,
): Promise<Challenge | undefined> {
  for (const challenge of challenges) if (await wallets.signedByKey({ ...proof, ...challenge })) return challenge;
  for (const challenge of challenges) if (await wallets.verify({ ...proof, ...challenge })) return challenge;
  return undefined;
}
