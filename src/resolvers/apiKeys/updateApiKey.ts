import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { limitsOf, type LimitInput } from '../accounts/limitInput.ts';
import { accountEvents, type EventRow } from '../ledger/eventRow.ts';
import { limits, type Limits } from '../ledger/limits.ts';
import { singleStatement, transaction } from '../transaction.ts';
import { findApiKey, lockActiveKey, reloadKey } from './findApiKey.ts';
import { KEY_COLUMNS, keyOf, type KeyColumns, type KeyRow } from './rows.ts';

const RENAME = sql('apiKeyRename', 'update api_key_profile set name = $2 where id = $1');

/** Ownership, the new limits and the key in one statement. The columns of the key are those from before. */
const LIMIT_OWN_KEY = sql(
  'apiKeyLimits',
  `select (l.event).*, ${KEY_COLUMNS}
   from api_key_profile k
   join api_key m on m.id = k.id
   cross join lateral ledger_limits(null, k.id, $3::boolean[], $4::bigint[], null) l
   where k.id = $1 and k.user_id = $2 and k.revoked_at is null`,
);

export interface KeyChanges extends LimitInput {
  /** Absent and null leave it alone. */
  readonly name?: string | null | undefined;
}

/**
 * Renames an API key or changes its limits; open connections obey at once.
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED when it is revoked
 */
export async function updateApiKey(
  ctx: ViewerContext,
  id: bigint,
  { name, ...changes }: KeyChanges,
): Promise<{ apiKey: KeyRow }> {
  const to = limitsOf(changes);
  const limited = Object.keys(to).length > 0;
  if (limited && (name === null || name === undefined)) return { apiKey: await limitOnly(ctx, id, to) };
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId);
    if (name !== null && name !== undefined) await tx.query(RENAME, [id, name]);
    if (limited) {
      publish('accountEvents', (await limits(tx, { keyId: id }, to)).events);
      publish('leasesChanged', { accountId: userId, keyIds: [id] });
    }
    return { apiKey: await reloadKey(tx, key) };
  });
}

/** The hot path: limits of one key are often changed by programs. */
async function limitOnly(ctx: ViewerContext, id: bigint, to: Limits): Promise<KeyRow> {
  const { userId } = ctx.viewer;
  const values = [to.day, to.week, to.month];
  const row = await singleStatement(ctx, async (db, publish) => {
    const [changed] = await db.query<EventRow & KeyColumns>(LIMIT_OWN_KEY, [
      id,
      userId,
      values.map((value) => value !== undefined),
      values.map((value) => value ?? null),
    ]);
    if (changed !== undefined) {
      publish('accountEvents', accountEvents([changed]));
      publish('leasesChanged', { accountId: userId, keyIds: [id] });
    }
    return changed;
  });
  if (row === undefined) {
    await findApiKey(ctx, id);
    throw new AppError('KEY_IS_REVOKED');
  }
  const key = keyOf(row);
  return {
    ...key,
    meter: {
      ...key.meter,
      ...(to.day !== undefined && { dayLimit: to.day }),
      ...(to.week !== undefined && { weekLimit: to.week }),
      ...(to.month !== undefined && { monthLimit: to.month }),
    },
  };
}
