import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import type { Window } from '../../units.ts';
import { reloadKey } from '../apiKeys/findApiKey.ts';
import type { KeyRow } from '../apiKeys/rows.ts';
import { audit } from '../audit/record.ts';
import { reset } from '../ledger/reset.ts';
import { transaction } from '../transaction.ts';

const OWNER = sql('apiKeyOwner', 'select user_id from api_key_profile where id = $1');

/**
 * Puts the counter of one window of any API key back to zero; for the operator.
 * @throws AppError NOT_FOUND
 */
export function resetUsage(ctx: ViewerContext, keyId: bigint, window: Window): Promise<{ apiKey: KeyRow }> {
  return transaction(ctx, async (tx, publish) => {
    const [owner] = await tx.query<{ user_id: bigint }>(OWNER, [keyId]);
    if (owner === undefined) throw new AppError('NOT_FOUND');
    publish('accountEvents', (await reset(tx, { keyId }, window)).events);
    publish('leasesChanged', { accountId: owner.user_id, keyIds: [keyId] });
    const detail = { apiKey: keyId.toString(), window };
    await audit(tx, ctx, { accountId: owner.user_id, action: 'USAGE_RESET', detail });
    return { apiKey: await reloadKey(tx, { id: keyId, userId: owner.user_id }) };
  });
}
