import type { User } from '../../../prisma/generated/client/client.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { setPassword } from '../auth/setPassword.ts';
import { openAccount } from '../ledger/open.ts';
import { post } from '../ledger/post.ts';
import type { Publish } from '../transaction.ts';

const LOCK = sql('userNamesLock', 'select pg_advisory_xact_lock(hashtextextended($1, 0))');
const EMAIL_TAKEN = sql('userEmailTaken', 'select 1 from users where email = $1');
const USERNAME_TAKEN = sql('userNameTaken', 'select 1 from users where lower(username) = lower($1)');
const INSERT = sql(
  'userInsert',
  `insert into users (email, username, email_verified, role, language)
   values ($1, $2, true, $3::role, $4::language) returning id`,
);

export interface NewAccount {
  /** Lower case. */
  readonly email: string;
  readonly username: string | null;
  /** argon2id hash; made before the transaction, because it takes long. */
  readonly passwordHash: string;
  readonly role: User['role'];
  /** Of mails, English unless said otherwise. */
  readonly language?: User['language'];
}

/**
 * Creates a user with an e-mail address that is known to be theirs, password and empty account.
 * @throws AppError EMAIL_TAKEN, USERNAME_TAKEN
 */
export async function insertAccount(
  tx: Sql,
  { email, username, passwordHash, role, language = 'EN' }: NewAccount,
): Promise<bigint> {
  await lockNames(tx, email, username);
  if (await isEmailTaken(tx, email)) throw new AppError('EMAIL_TAKEN', { field: 'email' });
  if (username !== null && (await isNameTaken(tx, username)))
    throw new AppError('USERNAME_TAKEN', { field: 'username' });
  const [row] = await tx.query<{ id: bigint }>(INSERT, [email, username, role, language]);
  if (row === undefined) throw new Error('the user was not inserted');
  await openAccount(tx, row.id);
  await setPassword(tx, row.id, passwordHash);
  return row.id;
}

/** Until the transaction ends nobody else makes an account, or signs up, with this e-mail address or this name. */
export async function lockNames(tx: Sql, email: string, username: string | null): Promise<void> {
  await tx.query(LOCK, [`email:${email}`]);
  if (username !== null) await tx.query(LOCK, [`username:${username.toLowerCase()}`]);
}

/** Whether an account has the address. Lock it first. */
export async function isEmailTaken(tx: Sql, email: string): Promise<boolean> {
  return (await tx.query(EMAIL_TAKEN, [email])).length > 0;
}

/** Whether an account has the name, in any case. Lock it first. */
export async function isNameTaken(tx: Sql, username: string): Promise<boolean> {
  return (await tx.query(USERNAME_TAKEN, [username])).length > 0;
}

/** Gives a new account its first credit, once. Nothing for 0. */
export async function giveFirstCredit(
  tx: Sql,
  publish: Publish,
  accountId: bigint,
  credit: { readonly amount: bigint; readonly contra: 'PROMO' | 'ADJUST'; readonly reason: string },
): Promise<void> {
  if (credit.amount === 0n) return;
  const { events } = await post(tx, {
    id: `first-credit:${accountId}`,
    accountId,
    kind: 'ADJUSTMENT',
    contra: credit.contra,
    amount: credit.amount,
    ref: credit.reason,
  });
  publish('accountEvents', events);
}
