import type { Session } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { attempt } from './attempt.ts';
import { createSession, type OpenedSession } from './createSession.ts';
import { normalizeEmail, verifyPassword } from './password.ts';

const PASSWORD = sql(
  'passwordByEmail',
  `select u.id, c.secret from users u
   join credential c on c.user_id = u.id and c.kind = 'PASSWORD' where u.email = $1`,
);

// The lock keeps a reset from ending all sessions just before this one begins: it comes after, or the password is old.
const STATE = sql(
  'passwordOwnerState',
  `select u.email_verified as "emailVerified", u.suspended_at is not null as suspended
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

interface Proof {
  readonly id: bigint;
  /** The hash that the password fits. */
  readonly secret: string;
}

/**
 * Opens a session with e-mail address and password.
 * @throws AppError INVALID_CREDENTIALS, the same in words and time for unknown addresses and wrong
 *   passwords; ACCOUNT_SUSPENDED and EMAIL_NOT_VERIFIED, only after the right password; THROTTLED after too
 *   many failures
 */
export async function signIn(ctx: OperationContext, { email, password, kind }: SignInInput): Promise<SignedIn> {
  const subject = normalizeEmail(email);
  const { id, secret } = await attempt(ctx, subject, {
    prove: () => provePassword(ctx, subject, password),
    refusal: 'INVALID_CREDENTIALS',
  });
  const session = await transaction(ctx, async (tx) => {
    const [state] = await tx.query<{ emailVerified: boolean; suspended: boolean }>(STATE, [id, secret]);
    if (state === undefined) throw new AppError('INVALID_CREDENTIALS');
    if (state.suspended) throw new AppError('ACCOUNT_SUSPENDED');
    if (!state.emailVerified) throw new AppError('EMAIL_NOT_VERIFIED');
    await audit(tx, ctx, { accountId: id, action: 'SIGNED_IN', detail: { by: 'PASSWORD', kind } });
    return createSession({ ...ctx, db: tx }, id, kind);
  });
  return { ...session, user: await loadUser(ctx.db, id) };
}

async function provePassword(ctx: OperationContext, email: string, password: string): Promise<Proof | undefined> {
  const [row] = await ctx.db.query<Proof>(PASSWORD, [email]);
  const fits = await verifyPassword(row?.secret, password);
  return fits ? row : undefined;
}
