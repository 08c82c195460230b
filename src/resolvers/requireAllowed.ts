import { AppError } from '../errors.ts';

/**
 * Lets pass what a counter allows.
 * @param wait seconds to wait, as the counters of `Throttle` answer; undefined: it is allowed
 * @param message more precise than the catalogue's
 * @throws AppError THROTTLED
 */
export async function requireAllowed(wait: Promise<number | undefined>, message?: string): Promise<void> {
  const retryAfterSeconds = await wait;
  if (retryAfterSeconds === undefined) return;
  throw new AppError('THROTTLED', { retryAfterSeconds, ...(message !== undefined && { message }) });
}
