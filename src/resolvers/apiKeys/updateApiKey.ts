import type { ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import type { AccountEvent } from '../../events.ts';
import { limitsOf, limitTexts, newLimits, type LimitInput } from '../accounts/limitInput.ts';
import { currentWindows } from '../accounts/windows.ts';
import { audit, auditSql, auditValues, type AuditRecord } from '../audit/record.ts';
import type { EventRow } from '../ledger/eventRow.ts';
import { limits, type Limits } from '../ledger/limits.ts';
import { singleStatement, transaction } from '../transaction.ts';
import { findApiKey, lockActiveKey, reloadKey } from './findApiKey.ts';
import { newRestrictions, recordOf, restrictionsOf, type RestrictionInput, type Restrictions } from './restrictions.ts';
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

const RESTRICT = sql(
  'apiKeyRestrict',
  `update api_key_profile set rules_no = rules_no + 1, scopes = coalesce($2::text[], scopes),
     allowed_ips = coalesce($3::text[], allowed_ips), products = coalesce($4::text[], products),
     expires_at = case when $5::boolean then $6::timestamptz else expires_at end,
     show_targets = coalesce($7::boolean, show_targets)
   where id = $1`,
);

/** Whether a limit becomes another one: `$3` says of each window whether it is meant, `$4` what it shall be. */
const DIFFERS = ['day', 'week', 'month']
  .map((window, index) => {
    const place = `[${index + 1}]`;
    return `($3::boolean[])${place} and m.${window}_limit is distinct from ($4::bigint[])${place}`;
  })
  .join(' or ');

/**
 * Ownership, the new limits, their record and the key in one statement. The columns of the key are those from before;
 * of the event those that a change of limits does not fix: null when there was nothing to change. The values of the
 * record begin at $5.
 */
const limitOwnKey = (name: string, columns: string) =>
  sql(
    name,
    `with done as (
       select (l.event).account_id, (l.event).seq, (l.event).at, (l.event).balance, (l.event).remaining, (l.event).key_remaining, ${columns}
       from api_key_profile k
       join api_key m on m.id = k.id
       cross join lateral ledger_limits(null, case when ${DIFFERS} then k.id end, $3::boolean[], $4::bigint[], null) l
       where k.id = $1 and k.user_id = $2 and k.revoked_at is null
     ), noted as (${auditSql(5, 'from done where seq is not null')})
     select * from done`,
  );
const LIMIT_OWN_KEY = limitOwnKey('apiKeyLimits', KEY_COLUMNS);
/** $12 to $14: starts of the windows. */
const LIMIT_OWN_KEY_BRIEF = limitOwnKey('apiKeyLimitsBrief', briefKeyColumns(12));

type LimitEventColumn = 'account_id' | 'seq' | 'at' | 'balance' | 'remaining' | 'key_remaining';
type LimitEventRow = Pick<EventRow, LimitEventColumn> | { readonly [Column in LimitEventColumn]: null };

export interface KeyChanges extends LimitInput, RestrictionInput {
  /** Absent and null leave it alone. */
  readonly name?: string | null | undefined;
}

/**
 * Renames an API key or changes its limits or restrictions; open connections obey at once. What is so already is no
 * change: nothing is put on record.
 * @param brief nothing but id, name and limits of the key will be read
 * @throws AppError NOT_FOUND when it is unknown or of another account, KEY_IS_REVOKED when it is revoked,
 *   BAD_INPUT, see `restrictionsOf`
 */
export async function updateApiKey(
  ctx: ViewerContext,
  id: bigint,
  changes: KeyChanges,
  brief = false,
): Promise<{ apiKey: KeyRow }> {
  const asked = {
    name: changes.name ?? undefined,
    limits: limitsOf(changes),
    restrictions: restrictionsOf(changes, ctx.now()),
  };
  const only = kindsOf(asked);
  if (only.limited && !only.renamed && !only.restricted) return { apiKey: await limitOnly(ctx, id, asked, brief) };
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx, publish) => {
    const key = await lockActiveKey(tx, id, userId);
    const news = newTo(key, asked);
    const { renamed, limited, restricted } = kindsOf(news);
    if (renamed) await tx.query(RENAME, [id, news.name]);
    if (limited) {
      publish('accountEvents', (await limits(tx, { keyId: id }, news.limits)).events);
      publish('leasesChanged', { accountId: userId, keyIds: [id] });
    }
    if (restricted) {
      await restrict(tx, id, news.restrictions);
      publish('credentialsChanged', { accountId: userId, keyId: id, sessionId: null, revoked: false, lookups: [] });
    }
    if (!renamed && !limited && !restricted) return { apiKey: key };
    await audit(tx, ctx, recordOfChange(userId, id, news));
    return { apiKey: await reloadKey(tx, key) };
  });
}

async function restrict(tx: Sql, id: bigint, to: Restrictions): Promise<void> {
  const { scopes, allowedIps, products, expiresAt, showTargets } = to;
  const lists = [scopes ?? null, allowedIps ?? null, products ?? null];
  await tx.query(RESTRICT, [id, ...lists, expiresAt !== undefined, expiresAt ?? null, showTargets ?? null]);
}

interface Changed {
  readonly name: string | undefined;
  readonly limits: Limits;
  readonly restrictions: Restrictions;
}

function kindsOf({ name, limits: to, restrictions }: Changed) {
  return {
    renamed: name !== undefined,
    limited: Object.keys(to).length > 0,
    restricted: Object.keys(restrictions).length > 0,
  };
}

function newTo(key: KeyRow, { name, limits: to, restrictions }: Changed): Changed {
  return {
    name: name === key.name ? undefined : name,
    limits: newLimits(to, key.meter),
    restrictions: newRestrictions(restrictions, key),
  };
}

function recordOfChange(accountId: bigint, id: bigint, { name, limits: to, restrictions }: Changed): AuditRecord {
  const detail = {
    apiKeyId: id.toString(),
    ...(name !== undefined && { name }),
    ...limitTexts(to),
    ...recordOf(restrictions),
  };
  return { accountId, action: 'API_KEY_UPDATED', detail };
}

/** The hot path: limits of one key are often changed by programs. */
async function limitOnly(ctx: ViewerContext, id: bigint, asked: Changed, brief: boolean): Promise<KeyRow> {
  const { userId: accountId } = ctx.viewer;
  const { limits: to } = asked;
  const record = recordOfChange(accountId, id, asked);
  const values = [to.day, to.week, to.month];
  const set = values.map((value) => value !== undefined);
  const parameters = [id, accountId, set, values.map((value) => value ?? null), ...auditValues(ctx, record)];
  const now = ctx.now();
  const key = await singleStatement(ctx, async (db, publish) => {
    const [row] = brief
      ? await db.query<LimitEventRow & BriefKeyColumns>(LIMIT_OWN_KEY_BRIEF, [
          ...parameters,
          ...currentWindows(now).texts,
        ])
      : await db.query<LimitEventRow & KeyColumns>(LIMIT_OWN_KEY, parameters);
    if (row === undefined) return undefined;
    const event = limitEvent(id, row);
    if (event !== undefined) {
      publish('accountEvents', [event]);
      publish('leasesChanged', { accountId: event.accountId, keyIds: [id] });
    }
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

/** The event of the change, on the account that the key has by then; undefined when nothing was changed. */
function limitEvent(keyId: bigint, row: LimitEventRow): AccountEvent | undefined {
  if (row.seq === null) return undefined;
  const { account_id: accountId, seq, at, balance, remaining, key_remaining: keyRemaining } = row;
  const nothing = { product: null, up: 0n, down: 0n, amount: 0n };
  return { accountId, seq, at, kind: 'limit', keyId, ...nothing, balance, remaining, keyRemaining };
}
