import { newToken, sha256 } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';

/** How long a link that resets a password works, seconds. */
export const RESET_SECONDS = 3_600;

const INSERT = sql(
  'resetTokenInsert',
  `insert into mail_token (hash, user_id, expires_at)
   values ($1, $2, clock_timestamp() + make_interval(secs => ${RESET_SECONDS}))`,
);
const FIND = sql(
  'resetTokenFind',
  `select t.user_id as "userId", u.email from mail_token t join users u on u.id = t.user_id
   where t.hash = $1 and t.expires_at > clock_timestamp()`,
);
const FORGET = sql('resetTokensForget', 'delete from mail_token where user_id = $1 returning hash');
const FORGET_EXPIRED = sql(
  'mailTokensForgetExpired',
  `delete from mail_token where hash in (
     select hash from mail_token where expires_at <= now() order by expires_at limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Whose mailbox a token was sent to. */
export interface TokenOwner {
  readonly userId: bigint;
  readonly email: string;
}

/** Makes a token of 256 random bits, of which only the SHA-256 is kept. Others of the user stay good. */
export async function issueResetToken(tx: Sql, userId: bigint): Promise<string> {
  const token = newToken();
  await tx.query(INSERT, [sha256(token), userId]);
  return token;
}

/** Who a token that resets a password was sent to; undefined when it is unknown, used, expired or for something else. */
export async function findResetOwner(db: Sql, token: string): Promise<TokenOwner | undefined> {
  const [owner] = await db.query<TokenOwner>(FIND, [sha256(token)]);
  return owner;
}

/**
 * Uses a token up, and every other of the user with it: a mail that was asked for earlier opens nothing any more. Lock
 * the user first. @returns false when it has gone meanwhile
 */
export async function takeResetToken(tx: Sql, userId: bigint, token: string): Promise<boolean> {
  const hash = sha256(token);
  const taken = await tx.query<{ hash: Uint8Array }>(FORGET, [userId]);
  return taken.some((row) => hash.equals(row.hash));
}

/** No link resets the password of the user any more. */
export async function forgetResetTokens(tx: Sql, userId: bigint): Promise<void> {
  await tx.query(FORGET, [userId]);
}

/** Deletes tokens that have expired, of whatever mails, at most `limit`. @returns how many */
export async function deleteExpiredTokens(db: Sql, limit: number): Promise<number> {
  return (await db.query(FORGET_EXPIRED, [limit])).length;
}
