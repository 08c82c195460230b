import type { Session } from '../../../prisma/generated/client/client.ts';
import type { Services } from '../../context.ts';
import { newToken, sha256 } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { signToken } from './tokens.ts';

const INSERT = sql(
  'sessionInsert',
  `insert into session (user_id, kind, refresh_hash, expires_at) values ($1, $2::session_kind, $3, $4)
   returning id::text as id`,
);

export interface OpenedSession {
  readonly token: string;
  readonly refreshToken: string | null;
  /** Of `token`. */
  readonly expiresAt: Date;
}

/** Opens a session of a user who has proved who they are. The refresh token is stored hashed. */
export async function createSession(
  { db, keys, now, sessions }: Pick<Services, 'db' | 'keys' | 'now' | 'sessions'>,
  userId: bigint,
  kind: Session['kind'],
): Promise<OpenedSession> {
  const issuedAt = now();
  const after = (seconds: number): Date => new Date(issuedAt.getTime() + seconds * 1000);
  const lpf = kind === 'LPF';
  const expiresAt = after(lpf ? sessions.lpfSeconds : sessions.accessSeconds);
  const refreshToken = lpf ? null : newToken();
  const [row] = await db.query<{ id: string }>(INSERT, [
    userId,
    kind,
    refreshToken === null ? null : sha256(refreshToken),
    lpf ? expiresAt : after(sessions.refreshSeconds),
  ]);
  if (row === undefined) throw new Error('the session was not inserted');
  const token = await signToken(keys, { userId, sessionId: row.id }, issuedAt, expiresAt);
  return { token, refreshToken, expiresAt };
}
