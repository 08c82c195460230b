import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import { audit, byProof } from '../audit/record.ts';
import { singleStatement, transaction, type Publish } from '../transaction.ts';
import type { SignedIn } from './signIn.ts';
import { readRefreshToken, signRefreshToken, signToken, type RefreshClaims } from './tokens.ts';

/**
 * Seconds after an exchange in which the token that was exchanged is answered as it was then: browser tabs and retries
 * that present one token at the same time all get the one that follows it.
 */
const REUSE_GRACE_SECONDS = 30;

const ROTATE = sql(
  'sessionRotate',
  `update session s set generation = s.generation + 1, rotated_at = clock_timestamp(),
     expires_at = clock_timestamp() + make_interval(secs => $3)
   from users u
   where u.id = s.user_id and u.suspended_at is null and s.id = $1::uuid and s.generation = $2
     and s.revoked_at is null and s.expires_at > clock_timestamp()
   returning s.id::text as id, s.user_id as "userId", s.generation`,
);

const STATE = sql(
  'sessionStateLocked',
  `select s.id::text as id, s.user_id as "userId", s.generation, u.suspended_at is not null as suspended,
     coalesce(s.rotated_at > clock_timestamp() - make_interval(secs => ${REUSE_GRACE_SECONDS}), false) as recent
   from session s join users u on u.id = s.user_id
   where s.id = $1::uuid and s.revoked_at is null and s.expires_at > clock_timestamp() for no key update of s`,
);

const END = sql('sessionEndReused', 'update session set revoked_at = clock_timestamp() where id = $1::uuid');

export interface Refreshed extends SignedIn {
  readonly refreshToken: string;
}

/** A session and its newest generation. */
interface Family {
  readonly id: string;
  readonly userId: bigint;
  readonly generation: number;
}

interface State extends Family {
  readonly suspended: boolean;
  readonly recent: boolean;
}

/**
 * Exchanges a refresh token for the next one and a new session token. One that was exchanged before, longer ago than
 * the grace or not the last one, is in two hands: its session ends.
 * A wrong token is not counted as a failed attempt: nobody guesses one, and who lost a race must not be locked out.
 * @throws AppError INVALID_REFRESH_TOKEN when it is not ours, was used before, or its session is over;
 *   ACCOUNT_SUSPENDED
 */
export async function refreshSession(ctx: OperationContext, refreshToken: string): Promise<Refreshed> {
  const claims = readRefreshToken(ctx.keys, refreshToken);
  if (claims === undefined) throw new AppError('INVALID_REFRESH_TOKEN');
  const issuedAt = ctx.now();
  const family = (await singleStatement(ctx, (db) => rotate(ctx, db, claims))) ?? (await settle(ctx, claims));
  if (family === undefined) throw new AppError('INVALID_REFRESH_TOKEN');
  const { id: sessionId, userId, generation } = family;
  const expiresAt = new Date(issuedAt.getTime() + ctx.sessions.accessSeconds * 1000);
  const token = await signToken(ctx.keys, { userId, sessionId }, issuedAt, expiresAt);
  const next = signRefreshToken(ctx.keys, sessionId, generation);
  return { token, refreshToken: next, expiresAt, user: await loadUser(ctx.db, userId) };
}

/** At once when the token is the current one. */
async function rotate(
  { sessions }: OperationContext,
  db: Sql,
  { sessionId, generation }: RefreshClaims,
): Promise<Family | undefined> {
  const [family] = await db.query<Family>(ROTATE, [sessionId, generation, sessions.refreshSeconds]);
  return family;
}

/** What becomes of a token that is not the current one. */
function settle(ctx: OperationContext, claims: RefreshClaims): Promise<Family | undefined> {
  const { sessionId, generation } = claims;
  return transaction(ctx, async (tx, publish) => {
    const [state] = await tx.query<State>(STATE, [sessionId]);
    if (state === undefined) return undefined;
    const current = state.generation === generation;
    const justReplaced = state.generation === generation + 1 && state.recent;
    if (!current && !justReplaced) {
      await endReused(ctx, tx, publish, state);
      return undefined;
    }
    if (state.suspended) throw new AppError('ACCOUNT_SUSPENDED');
    // Current again: the account has just been resumed.
    return current ? rotate(ctx, tx, claims) : state;
  });
}

async function endReused(ctx: OperationContext, tx: Sql, publish: Publish, { id, userId }: Family): Promise<void> {
  await tx.query(END, [id]);
  await audit(tx, byProof(ctx), { accountId: userId, action: 'REFRESH_TOKEN_REUSED', detail: { sessionId: id } });
  publish('credentialsChanged', { accountId: userId, keyId: null, sessionId: id, revoked: true, lookups: [] });
}
