import type { ChainTerms, OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { attempt } from '../auth/attempt.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { parseAddress } from './address.ts';
import { newestChallenges, restoreChallenge, takeChallenge, type Challenge } from './challenges.ts';
import { requireOwnMessage, type ChallengePurpose } from './message.ts';

/**
 * Messages that a chain is asked about when a signature does not say which one it is of: of its own, or the newest of
 * others. A contract that signs an older one names it.
 */
export const MAX_ASKED = 2;
/** Longest wait for a chain that is asked about several messages. */
const CHAIN_DEADLINE_MS = 5_000;

export interface WalletProof {
  /** In any case. */
  readonly address: string;
  /** `0x` and hexadecimal digits. */
  readonly signature: string;
}

/**
 * Proves that a wallet has signed a message given out for this purpose. The message is taken before the signature is
 * looked at, so that it serves once, whatever comes of it; it is put back when the chain did not answer, or may be asked
 * no more: questions count whatever comes of them.
 * @returns the address, lower case
 * @throws AppError BAD_INPUT; INVALID_CHALLENGE for a message that is not ours, of another purpose, used or expired;
 *   INVALID_SIGNATURE, which counts as a failure; THROTTLED after too many, and after too many questions to a chain;
 *   UNAVAILABLE when the chain did not answer
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
      return (await ctx.wallets.verify({ address, message, signature, chainId }, termsOf(ctx))) || undefined;
    } catch (error) {
      await restoreChallenge(ctx.db, nonce, at);
      throw error;
    }
  };
  await attempt(ctx, address, { prove, refusal: 'INVALID_SIGNATURE' });
  return address;
}

/**
 * The same for who does not say which message was signed: any that the wallet has outstanding for one of the purposes.
 * Only the one that fits is used up.
 * @returns the address, lower case
 * @throws AppError as `proveWallet`; INVALID_CHALLENGE when the wallet has no such message outstanding
 */
export async function proveWalletUnnamed(
  ctx: OperationContext,
  { address: text, signature }: WalletProof,
  purposes: readonly ChallengePurpose[],
): Promise<string> {
  const { stored: address } = await parseAddress(text);
  const prove = async (): Promise<true | undefined> => {
    const at = ctx.now();
    const newest = await newestChallenges(ctx, address, at);
    const outstanding = newest.filter(({ purpose }) => purposes.includes(purpose));
    if (outstanding.length === 0) throw new AppError('INVALID_CHALLENGE');
    const signed = await findSigned(ctx, outstanding, { address, signature });
    if (signed === undefined) return undefined;
    if ((await takeChallenge(ctx.db, signed, at)) === undefined) throw new AppError('INVALID_CHALLENGE');
    return true;
  };
  await attempt(ctx, address, { prove, refusal: 'INVALID_SIGNATURE' });
  return address;
}

/** Keys first: only signatures that no key made have us ask a chain. */
async function findSigned(
  ctx: Pick<OperationContext, 'wallets' | 'throttle' | 'clientAddress'>,
  challenges: readonly Challenge[],
  proof: WalletProof,
): Promise<Challenge | undefined> {
  const { wallets } = ctx;
  for (const challenge of challenges) if (await wallets.signedByKey({ ...proof, ...challenge })) return challenge;
  const terms = { ...termsOf(ctx), signal: AbortSignal.timeout(CHAIN_DEADLINE_MS) };
  for (const challenge of challenges.slice(0, MAX_ASKED))
    if (await wallets.verify({ ...proof, ...challenge }, terms)) return challenge;
  return undefined;
}

function termsOf({ throttle, clientAddress }: Pick<OperationContext, 'throttle' | 'clientAddress'>): ChainTerms {
  return { allow: () => requireAllowed(throttle.askChain(clientAddress)) };
}
