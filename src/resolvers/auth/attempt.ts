import type { OperationContext } from '../../context.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import { clientNetwork } from '../../throttle.ts';
import { requireAllowed } from '../requireAllowed.ts';
import { inTurn } from './inTurn.ts';

/**
 * Lets a client prove that it knows the password of an e-mail address, or has a wallet, unless it has failed too often,
 * with this one or with many. Attempts of one client at one subject come one after another, and failures count alike
 * whether or not anybody has the subject. What `prove` throws is no failure.
 * @param subject e-mail address or wallet
 * @param prove undefined: the password or the signature does not fit
 * @param refusal what a failure answers
 * @throws AppError THROTTLED, or the refusal
 */
export async function attempt<T>(
  ctx: Pick<OperationContext, 'throttle' | 'clientAddress'>,
  subject: string,
  { prove, refusal }: { readonly prove: () => Promise<T | undefined>; readonly refusal: ErrorCode },
): Promise<T> {
  const { throttle, clientAddress } = ctx;
  const requireFew = (): Promise<void> => requireAllowed(throttle.blockedFor(clientAddress, subject));
  await requireFew();
  return inTurn(`${clientNetwork(clientAddress)} ${subject}`, async () => {
    await requireFew();
    await requireAllowed(throttle.beginSignIn(clientAddress));
    let failed = false;
    try {
      const proof = await prove();
      if (proof !== undefined) {
        await throttle.succeeded(clientAddress, subject);
        return proof;
      }
      failed = true;
    } finally {
      if (!failed) await throttle.forgiveSignIn(clientAddress);
    }
    await throttle.failed(clientAddress, subject);
    throw new AppError(refusal);
  });
}
