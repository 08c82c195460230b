import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import type { AccountEvent } from '../../events.ts';
import { limitsOf, type LimitInput } from '../accounts/limitInput.ts';
import { currentWindows } from '../accounts/windows.ts';
import type { EventRow } from '../ledger/eventRow.ts';
import { limits, type Limits } from '../ledger/limits.ts';
import { singleStatement, transaction } from '../transaction.ts';
import { findApiKey, lockActiveKey, reloadKey } from './findApiKey.ts';
import {
  briefKeyColumns,
  briefKeyOf,
  KEY_COLUMNS,
  keyOf,
  type BriefKeyColumns,
  type KeyColumns,
  type KeyRow,
} from './rows.ts';

const RENAME = sql('apiKeyRename', 'update api_key_profile set name = $2 where id = $1');

/**
 * Ownership, the new limits and the key in one statement. The columns of the key are those from before; of the event
 * those that a change of limits does not fix.
 */
const limitOwnKey = (name: string, columns: string) =>
  sql(
    name,
    `select (l.event).seq, (l.event).at, (l.event).balance, (l.event).remaining, (l.event).key_remaining, ${columns}
     from api_key_profile k
     join api_key m on m.id = k.id
     cross join lateral ledger_limits(null, k.id, $3::boolean[], $4::bigint[], null) l
     where k.id = $1 and k.user_id = $2 and k.revoked_at is null`,
  );
const LIMIT_OWN_KEY = limitOwnKey('apiKeyLimits', KEY_COLUMNS);
/** $5 to $7: starts of the windows. */
const LIMIT_OWN_KEY_BRIEF = limitOwnKey('apiKeyLimitsBrief', briefKeyColumns(5));

type LimitEventColumn = 'seq' | 'at' | 'balance' | 'remaining' | 'key_remaining';
type LimitEventRow = Pick<EventRow, LimitEventColumn> | { readonly [Column in LimitEventColumn]: null };

export interface KeyChanges extends LimitInput {
  /** Absent and null leave it alone. */
  readonly name?: string | null | undefined;
}

/**
 * Renames an API key or changes its limits; open connections obey at once.
 * @param brief nothing but id, name and limits of the key will be read
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED when it is revoked
 */
export async function updateApiKey(
  ctx: ViewerContext,
  id: bigint,
  { name, ...changes }: KeyChanges,
  brief = false,
): Promise<{ apiKey: KeyRow }> {
  const to = limitsOf(changes);
  const limited = Object.keys(to).length > 0;
  if (limited && (name === null || name === undefined)) return { apiKey: await limitOnly(ctx, id, to, brief) };
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
async function limitOnly(ctx: ViewerContext, id: bigint, to: Limits, brief: boolean): Promise<KeyRow> {
  const { userId: accountId } = ctx.viewer;
  const values = [to.day, to.week, to.month];
  const set = values.map((value) => value !== undefined);
  const parameters = [id, accountId, set, values.map((value) => value ?? null)];
  const now = ctx.now();
  const key = await singleStatement(ctx, async (db, publish) => {
    const [row] = brief
      ? await db.query<LimitEventRow & BriefKeyColumns>(LIMIT_OWN_KEY_BRIEF, [
          ...parameters,
          ...currentWindows(now).texts,
        ])
      : await db.query<LimitEventRow & KeyColumns>(LIMIT_OWN_KEY, parameters);
    if (row === undefined) return undefined;
    publish('accountEvents', limitEvents(accountId, id, row));
    publish('leasesChanged', { accountId, keyIds: [id] });
    return 'key_id' in row ? keyOf(row) : briefKeyOf(row, now);
  });
  if (key === undefined) {
    await findApiKey(ctx, id);
    throw new AppError('KEY_IS_REVOKED');
  }
  const meter = { ...key.meter };
  if (to.day !== undefined) meter.dayLimit = to.day;
  if (to.week !== undefined) meter.weekLimit = to.week;
  if (to.month !== undefined) meter.monthLimit = to.month;
  return Object.assign(key, { meter });
}

/** The event of the change; none when the account has been merged, and nothing was changed. */
function limitEvents(accountId: bigint, keyId: bigint, row: LimitEventRow): AccountEvent[] {
  if (row.seq === null) return [];
  const { seq, at, balance, remaining, key_remaining: keyRemaining } = row;
  const nothing = { product: null, up: 0n, down: 0n, amount: 0n };
  return [{ accountId, seq, at, kind: 'limit', keyId, ...nothing, balance, remaining, keyRemaining }];
}
