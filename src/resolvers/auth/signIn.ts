import type { Session } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { inTurn } from './inTurn.ts';
import { createSession, type OpenedSession } from './createSession.ts';
import { normalizeEmail, verifyPassword } from './password.ts';

const PASSWORD = sql(
  'passwordByEmail',
  `select u.id, u.email_verified, c.secret from users u
   join credential c on c.user_id = u.id and c.kind = 'PASSWORD' where u.email = $1`,
);

export interface SignedIn extends OpenedSession {
  readonly user: UserRow;
}

export interface SignInInput {
  readonly email: string;
  readonly password: string;
  readonly kind: Session['kind'];
}

/**
 * Opens a session with e-mail address and password.
 * @throws AppError INVALID_CREDENTIALS, the same in words and time for unknown addresses and wrong
 *   passwords; EMAIL_NOT_VERIFIED, only after the right password; THROTTLED after too many failures
 */
export async function signIn(ctx: OperationContext, { email, password, kind }: SignInInput): Promise<SignedIn> {
  const subject = normalizeEmail(email);
  await requireAllowed(ctx, subject);
  const userId = await inTurn(`${ctx.clientAddress} ${subject}`, () => provePassword(ctx, subject, password));
  const session = await createSession(ctx, userId, kind);
  return { ...session, user: await loadUser(ctx.db, userId) };
}

async function provePassword(ctx: OperationContext, subject: string, password: string): Promise<bigint> {
  await requireAllowed(ctx, subject);
  const [row] = await ctx.db.query<{ id: bigint; email_verified: boolean; secret: string }>(PASSWORD, [subject]);
  const fits = await verifyPassword(row?.secret, password);
  if (row === undefined || !fits) {
    await ctx.throttle.failed(ctx.clientAddress, subject);
    throw new AppError('INVALID_CREDENTIALS');
  }
  await ctx.throttle.succeeded(ctx.clientAddress, subject);
  if (!row.email_verified) throw new AppError('EMAIL_NOT_VERIFIED');
  return row.id;
}

async function requireAllowed({ throttle, clientAddress }: OperationContext, subject: string): Promise<void> {
  const retryAfterSeconds = await throttle.blockedFor(clientAddress, subject);
  if (retryAfterSeconds !== undefined) throw new AppError('THROTTLED', { retryAfterSeconds });
}
