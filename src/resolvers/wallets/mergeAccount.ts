import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { PLANS } from '../accounts/plans.ts';
import { endSessions } from '../auth/endSessions.ts';
import { moveExits } from '../exits/moveExits.ts';
import { merge } from '../ledger/merge.ts';
import type { Publish } from '../transaction.ts';

/** Active keys that two accounts may have together: wallets that come and go would bring any number. */
export const MAX_MERGED_KEYS = 100;
/** Accounts that may go into one: everything it shows is looked up in all of them. */
export const MAX_MERGED_ACCOUNTS = 20;

const SIZE = sql(
  'mergeSize',
  `select (select count(*) from api_key_profile where user_id in ($1, $2) and revoked_at is null) as keys,
     (select count(*) from account where merged_into in ($1, $2)) as accounts`,
);
// In order, as everybody locks them who takes several.
const LOCK_KEYS = sql(
  'mergeLockKeys',
  'select id from api_key_profile where user_id = $1 order by id for no key update',
);
const MOVE_KEYS = sql('mergeMoveKeys', 'update api_key_profile set user_id = $2 where user_id = $1');
const MOVE_WEBHOOK = sql(
  'mergeMoveWebhook',
  `insert into settings (user_id, webhook_url, webhook_events)
   select $2, webhook_url, webhook_events from settings where user_id = $1 and webhook_url is not null
   on conflict (user_id) do update
     set webhook_url = excluded.webhook_url, webhook_events = excluded.webhook_events
     where settings.webhook_url is null`,
);
const DROP_SETTINGS = sql('mergeDropSettings', 'delete from settings where user_id = $1');
const KEEP_PLAN = sql(
  'mergeKeepPlan',
  `update users u set plan = old.plan from users old
   where old.id = $1 and u.id = $2 and array_position($3::text[], old.plan) > array_position($3::text[], u.plan)`,
);
const CLOSE_USER = sql('mergeCloseUser', 'update users set wallet_address = null, username = null where id = $1');

/**
 * Makes one account part of another, in the caller's transaction, which has locked both users: keys, leases, usage,
 * credit and exits of its own move, and so does the webhook where there is none. The old user stays, without a way to
 * sign in; what lies in its ledger and audit log is shown through the new one. The higher plan of the two stays; limits,
 * price grid and permissions are the new account's.
 * @throws AppError MERGE_LIMIT_REACHED when one account would become of too many, or have too many keys
 */
export async function mergeAccount(
  tx: Sql,
  publish: Publish,
  { from, into }: { readonly from: bigint; readonly into: bigint },
): Promise<void> {
  await requireRoom(tx, from, into);
  const keyIds = (await tx.query<{ id: bigint }>(LOCK_KEYS, [from])).map(({ id }) => id);
  await tx.query(MOVE_KEYS, [from, into]);
  const { outcome, events } = await merge(tx, from, into);
  if (outcome !== 'APPLIED') throw new Error(`the ledger did not merge ${from} into ${into}: ${outcome}`);
  await moveExits(tx, publish, { from, into });
  await tx.query(MOVE_WEBHOOK, [from, into]);
  await tx.query(DROP_SETTINGS, [from]);
  await tx.query(KEEP_PLAN, [from, into, PLANS]);
  await tx.query(CLOSE_USER, [from]);
  publish('accountEvents', events);
  await endSessions(tx, publish, { userId: from, except: null });
  // Keys work on, for the new account: whoever knows them asks again.
  publish('credentialsChanged', { accountId: from, keyId: null, sessionId: null, lookups: [], revoked: false });
  publish('leasesChanged', { accountId: into, keyIds });
  publish('leasesChanged', { accountId: into, keyIds: null });
}

async function requireRoom(tx: Sql, from: bigint, into: bigint): Promise<void> {
  const [size] = await tx.query<{ keys: bigint; accounts: bigint }>(SIZE, [from, into]);
  if (size === undefined) throw new Error('the accounts were not counted');
  if (size.keys > MAX_MERGED_KEYS || size.accounts >= MAX_MERGED_ACCOUNTS) throw new AppError('MERGE_LIMIT_REACHED');
}
