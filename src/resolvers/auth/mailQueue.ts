import type { MailQueue } from '../../../prisma/generated/client/client.ts';
import { sql, type Sql } from '../../database/sql.ts';

/** A mail to be sent to whoever has the address then, if anybody has. */
export interface NewMail {
  readonly kind: MailQueue['kind'];
  /** Lower case. */
  readonly recipient: string;
  /** Of the client that asked for it. */
  readonly address: string;
  /** VERIFY_EMAIL: the sign-up to confirm; without it the newest of the recipient. */
  readonly registrationId?: bigint;
}

/** A mail that this instance has claimed, to be sent now. */
export interface ClaimedMail extends Omit<NewMail, 'registrationId'> {
  readonly id: bigint;
  readonly registrationId: bigint | null;
  /** This one included. */
  readonly attempts: number;
}

/** Mails of one claim. They are sent side by side. */
export const CLAIM_BATCH = 5;
/** Whoever claims a mail has this long to send it; then it is taken for dead and another instance may try. */
export const CLAIM_SECONDS = 120;
/** Mails of one kind that one recipient is sent within an hour: nobody is bombed with what others ask for. */
export const MAX_MAILS_PER_HOUR = 10;

// Due at once: the column rounds to milliseconds, and rounded up it would not be for the rest of this one.
const INSERT = sql(
  'mailQueueInsert',
  `insert into mail_queue (kind, recipient, address, registration_id, next_at)
   values ($1::mail_kind, $2, $3, $4, date_trunc('milliseconds', clock_timestamp()))`,
);
const CLAIM = sql(
  'mailQueueClaim',
  `update mail_queue set attempts = attempts + 1, next_at = clock_timestamp() + make_interval(secs => $2)
   where id in (select id from mail_queue where sent_at is null and next_at <= now()
                order by next_at, id limit $1 for update skip locked)
   returning id, kind::text as kind, recipient, address, attempts, registration_id as "registrationId"`,
);
const SENT = sql('mailQueueSent', 'update mail_queue set sent_at = clock_timestamp() where id = $1');
// Unless it was taken over meanwhile, which counts as an attempt.
const POSTPONE = sql(
  'mailQueuePostpone',
  `update mail_queue set next_at = clock_timestamp() + make_interval(secs => $3), last_error = $4
   where id = $1 and attempts = $2 and sent_at is null`,
);
const FORGET = sql('mailQueueForget', 'delete from mail_queue where id = $1');
const FORGET_SENT = sql(
  'mailQueueForgetSent',
  `delete from mail_queue where id in (
     select id from mail_queue where sent_at <= now() - interval '1 hour'
     order by sent_at limit $1::int for update skip locked)
   returning 1 as deleted`,
);

/** Queues a mail: the same single statement whether or not anybody has the address. Wake the job after the commit. */
export async function queueMail(tx: Sql, mail: NewMail): Promise<void> {
  await tx.query(INSERT, [mail.kind, mail.recipient, mail.address, mail.registrationId ?? null]);
}

/** Claims the mails that are due: no other instance gets them before `CLAIM_SECONDS` are over. */
export function claimMails(db: Sql): Promise<ClaimedMail[]> {
  return db.query<ClaimedMail>(CLAIM, [CLAIM_BATCH, CLAIM_SECONDS]);
}

/** The mail is on its way; it counts for an hour. */
export async function markSent(db: Sql, { id }: Pick<ClaimedMail, 'id'>): Promise<void> {
  await db.query(SENT, [id]);
}

/** The mail will be tried again. @param error neither addresses nor secrets */
export async function postponeMail(db: Sql, mail: ClaimedMail, seconds: number, error: string): Promise<void> {
  await db.query(POSTPONE, [mail.id, mail.attempts, seconds, error]);
}

/** The mail will not be sent. */
export async function forgetMail(db: Sql, { id }: Pick<ClaimedMail, 'id'>): Promise<void> {
  await db.query(FORGET, [id]);
}

/** Deletes sent mails that count no more, at most `limit`. @returns how many */
export async function deleteSentMails(db: Sql, limit: number): Promise<number> {
  return (await db.query(FORGET_SENT, [limit])).length;
}
