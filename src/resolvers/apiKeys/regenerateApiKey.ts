import type { ViewerContext } from '../../context.ts';
import { replaceSecret } from './replaceSecret.ts';
import type { KeyRow } from './rows.ts';

/**
 * Gives an API key a new secret: same id, limits and history. The old one is dead at once, its
 * connections are closed.
 * @throws AppError as `replaceSecret`
 */
export function regenerateApiKey(ctx: ViewerContext, id: bigint): Promise<{ apiKey: KeyRow; secret: string }> {
  return replaceSecret(ctx, { id, graceSeconds: 0, action: 'API_KEY_REGENERATED' });
}
