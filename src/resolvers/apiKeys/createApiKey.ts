import type { ViewerContext } from '../../context.ts';
import { newApiKeySecret } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { limitsOf, type LimitInput } from '../accounts/limitInput.ts';
import { lockProfile } from '../accounts/lockProfile.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { insertApiKey } from './insertApiKey.ts';
import { recordOf, restrictionsOf, type RestrictionInput } from './restrictions.ts';
import type { KeyRow } from './rows.ts';

/** Active keys of one account. */
const MAX_ACTIVE_KEYS = 10;

const COUNT_ACTIVE = sql(
  'apiKeysCountActive',
  'select count(*) as count from api_key_profile where user_id = $1 and revoked_at is null',
);

export interface NewApiKey extends LimitInput, RestrictionInput {
  readonly name: string;
}

/**
 * Creates an API key with a new secret. A key that may manage its account may give another one any rights.
 * @throws AppError KEY_LIMIT_REACHED when the account has 10 active ones; BAD_INPUT, see `restrictionsOf`
 */
export async function createApiKey(ctx: ViewerContext, input: NewApiKey): Promise<{ apiKey: KeyRow; secret: string }> {
  const { userId } = ctx.viewer;
  const { name } = input;
  const restrictions = restrictionsOf(input, ctx.now());
  const secret = newApiKeySecret();
  return transaction(ctx, async (tx) => {
    await lockProfile(tx, userId);
    const [active] = await tx.query<{ count: bigint }>(COUNT_ACTIVE, [userId]);
    if ((active?.count ?? 0n) >= MAX_ACTIVE_KEYS) throw new AppError('KEY_LIMIT_REACHED');
    const apiKey = await insertApiKey(tx, ctx.keys, { userId, name, secret, limits: limitsOf(input), restrictions });
    const detail = { apiKeyId: apiKey.id.toString(), name, ...recordOf(restrictions) };
    await audit(tx, ctx, { accountId: userId, action: 'API_KEY_CREATED', detail });
    return { apiKey, secret };
  });
}
