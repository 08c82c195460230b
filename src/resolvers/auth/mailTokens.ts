import type { MailToken } from '../../../prisma/generated/client/client.ts';
import { newToken, sha256 } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';

export type MailTokenPurpose = MailToken['purpose'];

/** How long the link of a mail works. */
export const TOKEN_SECONDS: Readonly<Record<MailTokenPurpose, number>> = {
  VERIFY_EMAIL: 86_400,
  RESET_PASSWORD: 3_600,
};

const INSERT = sql(
  'mailTokenInsert',
  `insert into mail_token (hash, user_id, purpose, expires_at) values ($1, $2, $3::mail_token_purpose, $4)`,
);
const FIND = sql(
  'mailTokenFind',
  `select t.user_id as "userId", u.email from mail_token t join users u on u.id = t.user_id
   where t.hash = $1 and t.purpose = $2::mail_token_purpose and t.expires_at > $3`,
);
const LOCK = sql('mailTokenOwnerLock', 'select 1 from users where id = $1 for no key update');
const FORGET = sql(
  'mailTokensForget',
  'delete from mail_token where user_id = $1 and purpose = $2::mail_token_purpose',
);
const FORGET_EXPIRED = sql('mailTokensForgetExpired', 'delete from mail_token where expires_at <= $1');

/** Whose mailbox a token was sent to. */
export interface TokenOwner {
  readonly userId: bigint;
  readonly email: string;
}

/** Makes a token of 256 random bits, of which only the SHA-256 is kept. Others of the user stay good. */
export async function issueToken(tx: Sql, userId: bigint, purpose: MailTokenPurpose, now: Date): Promise<string> {
  const token = newToken();
  const expiresAt = new Date(now.getTime() + TOKEN_SECONDS[purpose] * 1_000);
  await tx.query(INSERT, [sha256(token), userId, purpose, expiresAt]);
  return token;
}

/** Who a token was sent to; undefined when it is unknown, used, expired or for something else. */
export async function findToken(
  db: Sql,
  token: string,
  purpose: MailTokenPurpose,
  now: Date,
): Promise<TokenOwner | undefined> {
  const [owner] = await db.query<TokenOwner>(FIND, [sha256(token), purpose, now]);
  return owner;
}

/**
 * The same within the transaction that acts on it: whoever else acts on a token of this user, or signs up anew with
 * the address, comes before or after.
 */
export async function lockToken(
  tx: Sql,
  token: string,
  purpose: MailTokenPurpose,
  now: Date,
): Promise<TokenOwner | undefined> {
  const owner = await findToken(tx, token, purpose, now);
  if (owner === undefined) return undefined;
  await tx.query(LOCK, [owner.userId]);
  // It may have gone while this waited.
  return findToken(tx, token, purpose, now);
}

/** All tokens of the user for this purpose stop working. */
export async function forgetTokens(tx: Sql, userId: bigint, purpose: MailTokenPurpose): Promise<void> {
  await tx.query(FORGET, [userId, purpose]);
}

export async function forgetExpiredTokens(db: Sql, now: Date): Promise<void> {
  await db.query(FORGET_EXPIRED, [now]);
}
