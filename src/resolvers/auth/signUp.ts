import type { User } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { insertAccount, lockNames } from '../accounts/insertAccount.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { countMail } from './askMail.ts';
import { queueMail, type NewMail } from './mailQueue.ts';
import { forgetTokens } from './mailTokens.ts';
import { noSoonerThan } from './noSoonerThan.ts';
import { hashPassword, normalizeEmail } from './password.ts';
import { setPassword } from './setPassword.ts';

/** Several times what it takes: a new account needs more statements than one that is there. */
const STEP_MS = 250;

// Locked: a link that confirms the account is followed before or after.
const HOLDER = sql('signUpHolder', 'select id, email_verified from users where email = $1 for no key update');
const NAME_HOLDER = sql('signUpNameHolder', 'select id from users where lower(username) = lower($1)');
const REPLACE = sql('signUpReplace', 'update users set username = $2, language = $3::language where id = $1');

export interface SignUpInput {
  readonly username: string;
  readonly email: string;
  /** 8 characters at least; whoever calls has checked that. */
  readonly password: string;
  /** Of the mails. */
  readonly language: User['language'];
}

interface Registration extends Omit<SignUpInput, 'password'> {
  readonly passwordHash: string;
}

/**
 * Makes an account that works once its e-mail address is confirmed, and sends the link for that. An address that has
 * a confirmed account gets the same answer, after the same time, and a mail that says so. An account that was never
 * confirmed gives way to the new one: whoever made it has not shown that the mailbox is theirs.
 * @throws AppError USERNAME_TAKEN, whether or not the address is known; THROTTLED after 5 mails within 15 minutes
 */
export async function signUp(ctx: OperationContext, { password, ...input }: SignUpInput): Promise<{ email: string }> {
  const email = normalizeEmail(input.email);
  await countMail(ctx, email);
  await noSoonerThan(STEP_MS, async () => {
    const passwordHash = await hashPassword(password);
    await transaction(ctx, async (tx) => {
      const kind = await register(ctx, tx, { ...input, email, passwordHash });
      await queueMail(tx, { kind, recipient: email, address: ctx.clientAddress });
    });
  });
  ctx.wakeMail();
  return { email };
}

/** @returns which mail the address gets */
async function register(ctx: OperationContext, tx: Sql, account: Registration): Promise<NewMail['kind']> {
  const { email, username, passwordHash, language } = account;
  await lockNames(tx, email, username);
  const [holder] = await tx.query<{ id: bigint; email_verified: boolean }>(HOLDER, [email]);
  const [nameHolder] = await tx.query<{ id: bigint }>(NAME_HOLDER, [username]);
  // A name that the unconfirmed account itself has is free for it; one of a confirmed account is taken for everybody,
  // or the answer would tell who has which address.
  const ownName = holder?.email_verified === false && nameHolder?.id === holder.id;
  if (nameHolder !== undefined && !ownName) throw new AppError('USERNAME_TAKEN', { field: 'username' });
  if (holder?.email_verified === true) return 'ALREADY_REGISTERED';
  let id = holder?.id;
  if (id === undefined) {
    id = await insertAccount(tx, { email, username, passwordHash, role: 'USER', emailVerified: false, language });
  } else {
    await tx.query(REPLACE, [id, username, language]);
    await setPassword(tx, id, passwordHash);
    await forgetTokens(tx, id, 'VERIFY_EMAIL');
  }
  await audit(tx, ctx, { accountId: id, action: 'ACCOUNT_CREATED', detail: { by: 'PASSWORD' } });
  return 'VERIFY_EMAIL';
}
