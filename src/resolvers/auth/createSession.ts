import type { Session } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { signRefreshToken, signToken } from './tokens.ts';

// Sessions end by the clock of the database, by which everybody looks them up; tokens by that of the server.
const INSERT = sql(
  'sessionInsert',
  `insert into session (user_id, kind, address, expires_at)
   values ($1, $2::session_kind, $3, clock_timestamp() + make_interval(secs => $4))
   returning id::text as id`,
);

type Opener = Pick<OperationContext, 'keys' | 'now' | 'sessions' | 'clientAddress'> & { readonly db: Sql };

export interface OpenedSession {
  readonly token: string;
  readonly refreshToken: string | null;
  /** Of `token`. */
  readonly expiresAt: Date;
}

/** Opens a session of a user who has proved who they are. No token is stored. */
export async function createSession(
  { db, keys, now, sessions, clientAddress }: Opener,
  userId: bigint,
  kind: Session['kind'],
): Promise<OpenedSession> {
  const issuedAt = now();
  const lpf = kind === 'LPF';
  const expiresAt = new Date(issuedAt.getTime() + (lpf ? sessions.lpfSeconds : sessions.accessSeconds) * 1000);
  const [row] = await db.query<{ id: string }>(INSERT, [
    userId,
    kind,
    clientAddress,
    lpf ? sessions.lpfSeconds : sessions.refreshSeconds,
  ]);
  if (row === undefined) throw new Error('the session was not inserted');
  const token = await signToken(keys, { userId, sessionId: row.id }, issuedAt, expiresAt);
  return { token, refreshToken: lpf ? null : signRefreshToken(keys, row.id, 0), expiresAt };
}
