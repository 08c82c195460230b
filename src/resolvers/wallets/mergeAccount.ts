import { sql, type Sql } from '../../database/sql.ts';
import { merge } from '../ledger/merge.ts';
import type { Publish } from '../transaction.ts';

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
const END_SESSIONS = sql(
  'mergeEndSessions',
  'update session set revoked_at = clock_timestamp() where user_id = $1 and revoked_at is null',
);
const CLOSE_USER = sql('mergeCloseUser', 'update users set wallet_address = null, username = null where id = $1');

/**
 * Makes one account part of another, in the caller's transaction, which has locked both users: keys, leases, usage and
 * credit move, and so does the webhook where there is none. The old user stays, without a way to sign in; what lies in
 * its ledger and audit log is shown through the new one. Limits, price grid and permissions are the new account's.
 */
export async function mergeAccount(
  tx: Sql,
  publish: Publish,
  { from, into }: { readonly from: bigint; readonly into: bigint },
): Promise<void> {
  const keyIds = (await tx.query<{ id: bigint }>(LOCK_KEYS, [from])).map(({ id }) => id);
  await tx.query(MOVE_KEYS, [from, into]);
  const { outcome, events } = await merge(tx, from, into);
  if (outcome !== 'APPLIED') throw new Error(`the ledger did not merge ${from} into ${into}: ${outcome}`);
  await tx.query(MOVE_WEBHOOK, [from, into]);
  await tx.query(DROP_SETTINGS, [from]);
  await tx.query(END_SESSIONS, [from]);
  await tx.query(CLOSE_USER, [from]);
  publish('accountEvents', events);
  const old = { accountId: from, keyId: null, sessionId: null, lookups: [] };
  publish('credentialsChanged', { ...old, sessionsBut: null, revoked: true });
  // Keys work on, for the new account: whoever knows them asks again.
  publish('credentialsChanged', { ...old, revoked: false });
  publish('leasesChanged', { accountId: into, keyIds });
  publish('leasesChanged', { accountId: into, keyIds: null });
}
