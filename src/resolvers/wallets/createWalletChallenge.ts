import { randomBytes } from 'node:crypto';

import type { OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { parseAddress } from './address.ts';
import { insertChallenge } from './challenges.ts';
import { writeMessage, type ChallengePurpose } from './message.ts';

/** Time to sign a message. */
const VALID_MS = 5 * 60_000;
const NONCE_BYTES = 16;
/** Places are freed as messages expire. */
const FULL_RETRY_SECONDS = 60;

export interface ChallengeInput {
  /** In any case. */
  readonly address: string;
  readonly purpose: ChallengePurpose;
  /** Where the wallet lives; contracts are asked there. */
  readonly chainId: bigint;
}

export interface IssuedChallenge {
  /** To be signed, unchanged. */
  readonly message: string;
  readonly nonce: string;
  readonly expiresAt: Date;
}

/**
 * Gives out a message for a wallet to sign, valid for 5 minutes and for one use. A wallet may have several: whoever
 * else asks voids none of them.
 * @throws AppError BAD_INPUT for an address that is none and for a chain that is not offered; THROTTLED for a client
 *   that asks too often, or has too many of this wallet outstanding
 */
export async function createWalletChallenge(ctx: OperationContext, input: ChallengeInput): Promise<IssuedChallenge> {
  const { purpose, chainId } = input;
  const address = await parseAddress(input.address);
  if (!ctx.wallets.supports(chainId))
    throw new AppError('BAD_INPUT', { message: `chainId: chain ${chainId} is not offered`, field: 'chainId' });
  await requireAllowed(ctx.throttle.askChallenge(ctx.clientAddress));
  const issuedAt = ctx.now();
  const expiresAt = new Date(issuedAt.getTime() + VALID_MS);
  const nonce = randomBytes(NONCE_BYTES).toString('hex');
  const message = await writeMessage(ctx, { address, purpose, chainId, nonce, issuedAt, expiresAt });
  const challenge = { address: address.stored, nonce, chainId, purpose, message, issuedAt, expiresAt };
  if (await insertChallenge(ctx, challenge)) return { message, nonce, expiresAt };
  const fault = 'Too many messages of this wallet are outstanding; sign one of them, or wait until they expire.';
  throw new AppError('THROTTLED', { message: fault, retryAfterSeconds: FULL_RETRY_SECONDS });
}
