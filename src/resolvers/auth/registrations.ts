import type { Registration } from '../../../prisma/generated/client/client.ts';
import { newToken, sha256 } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';

/** Sign-ups of one address that may wait for their links at once; the oldest gives way to another. */
export const MAX_PENDING = 10;
/** How long the link of a mail works, and a sign-up reserves its name, seconds. */
export const LINK_SECONDS = 86_400;
/** Mails sent later prolong a sign-up, until so long after it was made, seconds. */
export const LONGEST_SECONDS = 7 * 86_400;

/** A sign-up: what becomes an account once the link of its own mail is followed. */
export type NewRegistration = Pick<Registration, 'email' | 'username' | 'passwordHash' | 'language' | 'address'>;

/** A sign-up whose link was followed. */
export interface FoundRegistration extends NewRegistration {
  readonly id: bigint;
  /** The account it has become already. */
  readonly userId: bigint | null;
}

/** What a pending sign-up is, in SQL. */
const PENDING = 'user_id is null and expires_at > clock_timestamp()';

const NAME_TAKEN = sql(
  'registrationNameTaken',
  `select exists (select 1 from users where lower(username) = lower($1))
     or exists (select 1 from registration where lower(username) = lower($1) and email <> $2 and ${PENDING}) as taken`,
);
const INSERT = sql(
  'registrationInsert',
  `insert into registration (email, username, password_hash, language, address, expires_at)
   values ($1, $2, $3, $4::language, $5, clock_timestamp() + make_interval(secs => ${LINK_SECONDS})) returning id`,
);
const TRIM = sql(
  'registrationTrim',
  `delete from registration where id in
     (select id from registration where email = $1 and user_id is null order by id desc offset ${MAX_PENDING})`,
);
const FIND = sql(
  'registrationByToken',
  `select r.id, r.email, r.username, r.password_hash as "passwordHash", r.language::text as language, r.address,
     r.user_id as "userId"
   from mail_token t join registration r on r.id = t.registration_id
   where t.hash = $1 and t.expires_at > clock_timestamp()`,
);
const TO_CONFIRM = sql(
  'registrationToConfirm',
  `select id, language::text as language from registration
   where email = $1 and id = coalesce($2::bigint, id) and ${PENDING} order by id desc limit 1`,
);
const ISSUE = sql(
  'registrationIssueToken',
  `with prolonged as (
     update registration r set expires_at = greatest(r.expires_at, l.until)
     from (select id, least(clock_timestamp() + make_interval(secs => ${LINK_SECONDS}),
                            created_at + make_interval(secs => ${LONGEST_SECONDS})) as until
           from registration where id = $2) l
     where r.id = l.id and r.user_id is null returning r.id, l.until)
   insert into mail_token (hash, registration_id, expires_at) select $1, id, until from prolonged returning hash`,
);
const ACTIVATE = sql('registrationActivate', `update registration set user_id = $2, password_hash = '' where id = $1`);
const FORGET_PENDING = sql(
  'registrationForgetPending',
  'delete from registration where email = $1 and user_id is null',
);
const FORGET_EXPIRED = sql(
  'registrationForgetExpired',
  `delete from registration where id in (
     select id from registration where expires_at <= now() order by expires_at limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Whether an account has the name, or a pending sign-up of another address, in any case. Lock the name first. */
export async function isNameReserved(tx: Sql, username: string, email: string): Promise<boolean> {
  const [row] = await tx.query<{ taken: boolean }>(NAME_TAKEN, [username, email]);
  return row?.taken === true;
}

/** Keeps a sign-up, whether or not the address has an account. Lock address and name first. @returns its id */
export async function insertRegistration(tx: Sql, registration: NewRegistration): Promise<bigint> {
  const { email, username, passwordHash, language, address } = registration;
  const [row] = await tx.query<{ id: bigint }>(INSERT, [email, username, passwordHash, language, address]);
  if (row === undefined) throw new Error('the registration was not inserted');
  await tx.query(TRIM, [email]);
  return row.id;
}

/** The sign-up that a token of a mail was made for; undefined when the token is unknown or expired. */
export async function findRegistration(db: Sql, token: string): Promise<FoundRegistration | undefined> {
  const [registration] = await db.query<FoundRegistration>(FIND, [sha256(token)]);
  return registration;
}

/** The pending sign-up of an address with this id, or its newest; undefined when there is none. */
export async function findPending(
  db: Sql,
  email: string,
  id: bigint | null,
): Promise<Pick<FoundRegistration, 'id' | 'language'> | undefined> {
  const [registration] = await db.query<FoundRegistration>(TO_CONFIRM, [email, id]);
  return registration;
}

/**
 * Makes a token of 256 random bits that activates this sign-up and no other; only its SHA-256 is kept. Earlier ones
 * stay good. @returns undefined when the sign-up is not pending any more
 */
export async function issueLinkToken(db: Sql, registrationId: bigint): Promise<string | undefined> {
  const token = newToken();
  const issued = await db.query(ISSUE, [sha256(token), registrationId]);
  return issued.length > 0 ? token : undefined;
}

/** The sign-up has become an account: it stays until it expires, so that its links answer the same again. */
export async function markActivated(tx: Sql, { id }: Pick<FoundRegistration, 'id'>, userId: bigint): Promise<void> {
  await tx.query(ACTIVATE, [id, userId]);
}

/** The address has an account now: what else wants to be one is void. */
export async function forgetPending(tx: Sql, email: string): Promise<void> {
  await tx.query(FORGET_PENDING, [email]);
}

/** Deletes sign-ups that have expired, with their tokens, at most `limit`. @returns how many */
export async function deleteRegistrations(db: Sql, limit: number): Promise<number> {
  return (await db.query(FORGET_EXPIRED, [limit])).length;
}
