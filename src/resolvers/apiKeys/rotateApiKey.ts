import type { ViewerContext } from '../../context.ts';
import { newApiKeySecret } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockActiveKey, reloadKey } from './findApiKey.ts';
import { giveSecret } from './insertApiKey.ts';
import { requireRoomForSecret } from './requireRoomForSecret.ts';
import type { KeyRow } from './rows.ts';

/** Longest time for which a replaced secret works on, in seconds. */
export const MAX_GRACE_SECONDS = 7 * 86_400;
export const DEFAULT_GRACE_SECONDS = 86_400;
/** Secrets of one key that work at once, the new one included. */
const MAX_LIVE_SECRETS = 5;

// A rotation may shorten what an earlier one left to a secret, and never lengthens it. Of too many the oldest end now.
const RETIRE = sql(
  'apiKeySecretsRetire',
  `with live as (
     select lookup, row_number() over (order by created_at desc, expires_at desc nulls first, lookup) as age
     from api_key_secret where key_id = $1 and (expires_at is null or expires_at > clock_timestamp())
   ), retired as (
     update api_key_secret s set expires_at = case
         when live.age >= ${MAX_LIVE_SECRETS} then clock_timestamp()
         else least(s.expires_at, clock_timestamp() + make_interval(secs => $2)) end
     from live where live.lookup = s.lookup
     returning s.lookup, live.age
   )
   select encode(lookup, 'hex') as lookup from retired where age >= ${MAX_LIVE_SECRETS} or $2 = 0`,
);

export interface Rotation {
  readonly id: bigint;
  /** Seconds for which the secrets of until now work on: 0 to `MAX_GRACE_SECONDS`. */
  readonly graceSeconds: number;
}

/**
 * Gives an API key a new secret beside the old one, which ends by itself after the grace with what is connected by it;
 * at once when there is none. Id, limits, restrictions and history are the key's: both secrets spend one budget.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED; THROTTLED
 */
export async function rotateApiKey(
  ctx: ViewerContext,
  { id, graceSeconds }: Rotation,
): Promise<{ apiKey: KeyRow; secret: string }> {
  const { userId } = ctx.viewer;
  await requireRoomForSecret(ctx, id);
  const secret = newApiKeySecret();
  const apiKey = await transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId);
    const dead = (await tx.query<{ lookup: string }>(RETIRE, [id, graceSeconds])).map(({ lookup }) => lookup);
    await giveSecret(tx, ctx.keys, id, secret);
    const detail = { apiKeyId: id.toString(), graceSeconds: graceSeconds.toString() };
    await audit(tx, ctx, { accountId: userId, action: 'API_KEY_ROTATED', detail });
    const event = { accountId: userId, keyId: id, sessionId: null, revoked: dead.length > 0, lookups: dead };
    publish('credentialsChanged', event);
    return reloadKey(tx, key);
  });
  if (graceSeconds === 0) ctx.closeConnections(id);
  return { apiKey, secret };
}
