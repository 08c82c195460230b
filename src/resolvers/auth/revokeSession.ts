import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { SESSION_COLUMNS, type SessionRow } from './listSessions.ts';

const REVOKE = sql(
  'sessionRevoke',
  `update session set revoked_at = clock_timestamp()
   where id = $1::uuid and user_id = $2 and revoked_at is null and expires_at > clock_timestamp()
   returning ${SESSION_COLUMNS}`,
);

/**
 * Ends a session with its tokens and streams.
 * @param id absent: the session that asks
 * @throws AppError NOT_FOUND when it is unknown, of another account or over; BAD_INPUT when an API key asks without id
 */
export function revokeSession(ctx: ViewerContext, id: string | undefined): Promise<SessionRow> {
  const { userId } = ctx.viewer;
  const sessionId = id ?? ctx.viewer.sessionId;
  if (sessionId === null) throw new AppError('BAD_INPUT', { field: 'id', message: 'id: an API key must name one.' });
  return transaction(ctx, async (tx, publish) => {
    const [session] = await tx.query<SessionRow>(REVOKE, [sessionId, userId]);
    if (session === undefined) throw new AppError('NOT_FOUND');
    await audit(tx, ctx, { accountId: userId, action: 'SESSION_REVOKED', detail: { sessionId } });
    publish('credentialsChanged', { accountId: userId, keyId: null, sessionId, revoked: true, lookups: [] });
    return { ...session, active: false };
  });
}
