import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { endSessions } from './endSessions.ts';
import { SESSION_COLUMNS, type SessionRow } from './listSessions.ts';

const REVOKE = sql(
  'sessionRevoke',
  `update session set revoked_at = clock_timestamp()
   where id = $1::uuid and user_id = $2 and revoked_at is null and expires_at > clock_timestamp()
   returning ${SESSION_COLUMNS}`,
);

/** What ended. */
export interface RevokedSessions {
  /** The one that was to end; null when it was all others. */
  readonly session: SessionRow | null;
  readonly count: number;
}

/** Which session, or with `others` every one but the session that asks: of an API key every one. */
export interface SessionChoice {
  /** Absent: the session that asks. */
  readonly id: string | undefined;
  readonly others: boolean;
}

/**
 * Ends sessions with their tokens and streams.
 * @throws AppError NOT_FOUND when the one that is named is unknown, of another account or over; BAD_INPUT when an API
 *   key names none, or one is named beside `others`
 */
export async function revokeSession(ctx: ViewerContext, { id, others }: SessionChoice): Promise<RevokedSessions> {
  if (!others) return { session: await revokeOne(ctx, id), count: 1 };
  if (id !== undefined) throw new AppError('BAD_INPUT', { field: 'id', message: 'id: others names all others.' });
  return { session: null, count: await revokeOthers(ctx) };
}

function revokeOthers(ctx: ViewerContext): Promise<number> {
  const { userId, sessionId: except } = ctx.viewer;
  return transaction(ctx, async (tx, publish) => {
    const count = await endSessions(tx, publish, { userId, except });
    const detail = { others: true, count: count.toString() };
    if (count > 0) await audit(tx, ctx, { accountId: userId, action: 'SESSION_REVOKED', detail });
    return count;
  });
}

function revokeOne(ctx: ViewerContext, id: string | undefined): Promise<SessionRow> {
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
