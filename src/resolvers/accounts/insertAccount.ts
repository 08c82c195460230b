import type { User } from '../../../prisma/generated/client/client.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { openAccount } from '../ledger/open.ts';
import { post } from '../ledger/post.ts';
import type { Publish } from '../transaction.ts';

/** Two accounts of one name, or of one e-mail address, wait for each other. */
const LOCK = sql('userNamesLock', 'select pg_advisory_xact_lock(hashtextextended($1, 0))');
const EMAIL_TAKEN = sql('userEmailTaken', 'select 1 from users where email = $1');
const USERNAME_TAKEN = sql('userNameTaken', 'select 1 from users where lower(username) = lower($1)');
const INSERT = sql(
  'userInsert',
  `insert into users (email, username, email_verified, role, language)
   values ($1, $2, $3, $4::role, $5::language) returning id`,
);
const PASSWORD = sql(
  'credentialInsertPassword',
  `insert into credential (user_id, kind, secret) values ($1, 'PASSWORD', $2)`,
);

export interface NewAccount {
  /** Lower case. */
  readonly email: string;
  readonly username: string | null;
  /** argon2id hash; made before the transaction, because it takes long. */
  readonly passwordHash: string;
  readonly role: User['role'];
  /** Whether the address is known to be theirs, true unless said otherwise. */
  readonly emailVerified?: boolean;
  /** Of mails, English unless said otherwise. */
  readonly language?: User['language'];
}

/**
 * Creates a user with e-mail address, password and empty account.
 * @throws AppError EMAIL_TAKEN, USERNAME_TAKEN
 */
export async function insertAccount(
  tx: Sql,
  { email, username, passwordHash, role, emailVerified = true, language = 'EN' }: NewAccount,
): Promise<bigint> {
  await lockNames(tx, email, username);
  if ((await tx.query(EMAIL_TAKEN, [email])).length > 0) throw new AppError('EMAIL_TAKEN', { field: 'email' });
  if (username !== null) {
    const taken = await tx.query(USERNAME_TAKEN, [username]);
    if (taken.length > 0) throw new AppError('USERNAME_TAKEN', { field: 'username' });
  }
  const [row] = await tx.query<{ id: bigint }>(INSERT, [email, username, emailVerified, role, language]);
  if (row === undefined) throw new Error('the user was not inserted');
  await openAccount(tx, row.id);
  await tx.query(PASSWORD, [row.id, passwordHash]);
  return row.id;
}

/** Until the transaction ends nobody else makes an account of this e-mail address, or of this name. */
export async function lockNames(tx: Sql, email: string, username: string | null): Promise<void> {
  await tx.query(LOCK, [`email:${email}`]);
  if (username !== null) await tx.query(LOCK, [`username:${username.toLowerCase()}`]);
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
