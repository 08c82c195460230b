import type { ViewerContext } from '../../context.ts';
import { newApiKeySecret } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { audit, type AuditAction } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { lockActiveKey, reloadKey } from './findApiKey.ts';
import { giveSecret } from './insertApiKey.ts';
import { requireRoomForSecret } from './requireRoomForSecret.ts';
import type { KeyRow } from './rows.ts';

/** Secrets of one key that work at once, the new one included. */
const MAX_LIVE_SECRETS = 5;

// A replacement may shorten what an earlier one left to a secret, and never lengthens it. Of too many the oldest end
// now. The old secrets stay, dead, so that who still uses one is told so, on the key.
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

export interface Replacement {
  readonly id: bigint;
  /** Seconds for which the secrets of until now work on. */
  readonly graceSeconds: number;
  readonly action: Extract<AuditAction, 'API_KEY_ROTATED' | 'API_KEY_REGENERATED'>;
  /** Goes on record beside the key. */
  readonly detail?: Readonly<Record<string, string>>;
}

/**
 * Gives an API key a new secret beside the old ones, which end after the grace with what is connected by them; at once
 * when there is none. Id, limits, restrictions and history are the key's: all secrets spend one budget.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED; THROTTLED
 */
export async function replaceSecret(
  ctx: ViewerContext,
  { id, graceSeconds, action, detail }: Replacement,
): Promise<{ apiKey: KeyRow; secret: string }> {
  const { userId } = ctx.viewer;
  await requireRoomForSecret(ctx, id);
  const secret = newApiKeySecret();
  const apiKey = await transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId);
    const dead = (await tx.query<{ lookup: string }>(RETIRE, [id, graceSeconds])).map(({ lookup }) => lookup);
    await giveSecret(tx, ctx.keys, id, secret);
    await audit(tx, ctx, { accountId: userId, action, detail: { apiKeyId: id.toString(), ...detail } });
    const event = { accountId: userId, keyId: id, sessionId: null, revoked: dead.length > 0, lookups: dead };
    publish('credentialsChanged', event);
    return reloadKey(tx, key);
  });
  if (graceSeconds === 0) ctx.closeConnections(id);
  return { apiKey, secret };
}
