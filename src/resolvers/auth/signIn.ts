import type { Session } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit, byProof } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { attempt } from './attempt.ts';
import { createSession, type OpenedSession } from './createSession.ts';
import { normalizeEmail, verifyPassword } from './password.ts';

// One row in every case, so that neither an account nor a sign-up shows by the number of statements.
const PASSWORDS = sql(
  'passwordsByEmail',
  `select c.user_id as id, c.secret, r.password_hash as pending
   from (select $1::text as email) e
   left join users u on u.email = e.email
   left join credential c on c.user_id = u.id and c.kind = 'PASSWORD'
   left join lateral
     (select password_hash from registration
      where email = e.email and user_id is null and expires_at > clock_timestamp() order by id desc limit 1) r on true`,
);

// The lock keeps a reset from ending all sessions just before this one begins: it comes after, or the password is old.
const STATE = sql(
  'passwordOwnerState',
  `select u.suspended_at is not null as suspended
   from users u join credential c on c.user_id = u.id
   where u.id = $1 and c.kind = 'PASSWORD' and c.secret = $2 for share of c`,
);

export interface SignedIn extends OpenedSession {
  readonly user: UserRow;
}

export interface SignInInput {
  readonly email: string;
  readonly password: string;
  readonly kind: Session['kind'];
}

interface Passwords {
  readonly id: bigint | null;
  readonly secret: string | null;
  /** Of the newest sign-up that waits for its link. */
  readonly pending: string | null;
}

interface Proof {
  readonly id: bigint;
  /** The hash that the password fits. */
  readonly secret: string;
}

/**
 * Opens a session with e-mail address and password.
 * @throws AppError INVALID_CREDENTIALS, the same in words and time for unknown addresses and wrong
 *   passwords; ACCOUNT_SUSPENDED, only after the right password; EMAIL_NOT_VERIFIED after the password of a sign-up
 *   that waits for its link; THROTTLED after too many failures; UNAVAILABLE when too many passwords wait to be checked
 */
export async function signIn(ctx: OperationContext, { email, password, kind }: SignInInput): Promise<SignedIn> {
  const subject = normalizeEmail(email);
  const { id, secret } = await attempt(ctx, subject, {
    prove: () => provePassword(ctx, subject, password),
    refusal: 'INVALID_CREDENTIALS',
  });
  const session = await transaction(ctx, async (tx) => {
    const [state] = await tx.query<{ suspended: boolean }>(STATE, [id, secret]);
    if (state === undefined) throw new AppError('INVALID_CREDENTIALS');
    if (state.suspended) throw new AppError('ACCOUNT_SUSPENDED');
    await audit(tx, byProof(ctx), { accountId: id, action: 'SIGNED_IN', detail: { by: 'PASSWORD', kind } });
    return createSession({ ...ctx, db: tx }, id, kind);
  });
  return { ...session, user: await loadUser(ctx.db, id) };
}

/**
 * Two passwords are checked in every case, so that neither time nor answer tells whether an address has an account, a
 * sign-up, both or none. That of a sign-up, which anybody can make for any address, proves nothing: it is no failure,
 * but does not clear the failures either.
 */
async function provePassword(ctx: OperationContext, email: string, password: string): Promise<Proof | undefined> {
  const [row] = await ctx.db.query<Passwords>(PASSWORDS, [email]);
  const { id = null, secret = null, pending = null } = row ?? {};
  const [fits, fitsPending] = await Promise.all([verifyPassword(secret, password), verifyPassword(pending, password)]);
  if (fits && id !== null && secret !== null) return { id, secret };
  if (fitsPending) throw new AppError('EMAIL_NOT_VERIFIED');
  return undefined;
}
