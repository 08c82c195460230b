import type { ViewerContext } from '../../context.ts';
import { replaceSecret } from './replaceSecret.ts';
import type { KeyRow } from './rows.ts';

/** Longest time for which a replaced secret works on, in seconds. */
export const MAX_GRACE_SECONDS = 7 * 86_400;
export const DEFAULT_GRACE_SECONDS = 86_400;

export interface Rotation {
  readonly id: bigint;
  /** Seconds for which the secrets of until now work on: 0 to `MAX_GRACE_SECONDS`. */
  readonly graceSeconds: number;
}

/**
 * Gives an API key a new secret beside the old one, which ends by itself after the grace.
 * @throws AppError as `replaceSecret`
 */
export function rotateApiKey(
  ctx: ViewerContext,
  { id, graceSeconds }: Rotation,
): Promise<{ apiKey: KeyRow; secret: string }> {
  const detail = { graceSeconds: graceSeconds.toString() };
  return replaceSecret(ctx, { id, graceSeconds, action: 'API_KEY_ROTATED', detail });
}
