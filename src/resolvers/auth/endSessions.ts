import { sql, type Sql } from '../../database/sql.ts';
import type { Publish } from '../transaction.ts';

const END = sql(
  'sessionsEnd',
  `update session set revoked_at = clock_timestamp()
   where user_id = $1 and revoked_at is null and id is distinct from $2::uuid
   returning expires_at > clock_timestamp() as live`,
);

/** Ends every session of a user but one (null: every one); API keys work on. @returns how many had not ended before */
export async function endSessions(
  tx: Sql,
  publish: Publish,
  { userId, except }: { readonly userId: bigint; readonly except: string | null },
): Promise<number> {
  const ended = await tx.query<{ live: boolean }>(END, [userId, except]);
  publish('credentialsChanged', {
    ...{ accountId: userId, keyId: null, sessionId: null, sessionsBut: except },
    ...{ revoked: true, lookups: [] },
  });
  return ended.filter(({ live }) => live).length;
}
