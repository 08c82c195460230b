import type { OperationContext } from '../../context.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import { inTurn } from './inTurn.ts';

/**
 * Lets a client prove that it knows the password of an e-mail address, unless it has failed too often. Attempts of
 * one client at one address come one after another, and failures count alike whether or not anybody has the address.
 * @param prove undefined: the password does not fit
 * @param refusal what a failure answers
 * @throws AppError THROTTLED, or the refusal
 */
export async function attempt<T>(
  ctx: Pick<OperationContext, 'throttle' | 'clientAddress'>,
  email: string,
  { prove, refusal }: { readonly prove: () => Promise<T | undefined>; readonly refusal: ErrorCode },
): Promise<T> {
  const { throttle, clientAddress } = ctx;
  const requireAllowed = async (): Promise<void> => {
    const retryAfterSeconds = await throttle.blockedFor(clientAddress, email);
    if (retryAfterSeconds !== undefined) throw new AppError('THROTTLED', { retryAfterSeconds });
  };
  await requireAllowed();
  return inTurn(`${clientAddress} ${email}`, async () => {
    await requireAllowed();
    const proof = await prove();
    if (proof === undefined) {
      await throttle.failed(clientAddress, email);
      throw new AppError(refusal);
    }
    await throttle.succeeded(clientAddress, email);
    return proof;
  });
}
