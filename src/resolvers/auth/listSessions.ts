import type { Session } from '../../../prisma/generated/client/client.ts';
import type { OperationContext, ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';

/** Sessions of one answer: nobody signs in more often within the life of a session and reads the list. */
const MAX_LISTED = 100;

/** A sign-in, as its user sees it. */
export interface SessionRow {
  readonly id: string;
  readonly kind: Session['kind'];
  readonly address: string;
  readonly createdAt: Date;
  /** When its refresh token was last exchanged. */
  readonly refreshedAt: Date | null;
  readonly expiresAt: Date;
  /** Neither revoked nor expired. */
  readonly active: boolean;
}

const LIVE = 'revoked_at is null and expires_at > clock_timestamp()';

/** Columns of `SessionRow`. */
export const SESSION_COLUMNS = `id::text as id, kind::text as kind, address, created_at as "createdAt",
  rotated_at as "refreshedAt", expires_at as "expiresAt", ${LIVE} as active`;

const LIST = sql(
  'sessionsOfUser',
  `select ${SESSION_COLUMNS} from session where user_id = $1 and ${LIVE}
   order by created_at desc, id limit ${MAX_LISTED}`,
);

const OF_USER = sql('sessionOfUser', `select ${SESSION_COLUMNS} from session where id = $1::uuid and user_id = $2`);

/**
 * Sessions of a user that are neither revoked nor expired: the newest first, at most 100.
 * @throws AppError FORBIDDEN when the user is somebody else: not for the operator either
 */
export async function listSessions({ db, viewer }: OperationContext, userId: bigint): Promise<SessionRow[]> {
  if (viewer?.userId !== userId) throw new AppError('FORBIDDEN');
  return db.query<SessionRow>(LIST, [userId]);
}

/** A session of the caller's account, also one that is over; null when it is unknown or of another account. */
export async function ownSession(
  { db, viewer }: Pick<ViewerContext, 'db'> & Pick<OperationContext, 'viewer'>,
  id: string,
): Promise<SessionRow | null> {
  const [row] = await db.query<SessionRow>(OF_USER, [id, viewer?.userId ?? 0n]);
  return row ?? null;
}
