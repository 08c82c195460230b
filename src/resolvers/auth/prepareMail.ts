import type { User } from '../../../prisma/generated/client/client.ts';
import type { Services } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { audit, byProof } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { MAX_MAILS_PER_HOUR, type ClaimedMail, type NewMail } from './mailQueue.ts';
import { issueResetToken } from './mailTokens.ts';
import { findPending, issueLinkToken } from './registrations.ts';

/** What a mail is about when it is written: who signs up with an address that has an account is told so. */
type LetterKind = NewMail['kind'] | 'ALREADY_REGISTERED';

/** What is needed to write a mail, or why there is none to write. */
export type PreparedMail =
  | { readonly kind: LetterKind; readonly language: User['language']; readonly token: string | null }
  /** Nobody has the address, or nothing is left to confirm; the recipient got enough of the kind within the last hour. */
  | { readonly needless: 'NOBODY' | 'TOO_MANY' };

interface Recipient {
  readonly id: bigint;
  readonly language: User['language'];
}

const RECIPIENT = sql('mailRecipient', 'select id, language::text as language from users where email = $1');
// By kind: who asks for mails of one kind in somebody's name does not keep those of another from arriving.
const EARLIER = sql(
  'mailsEarlier',
  `select count(*) as count from mail_queue where recipient = $1 and kind = $2::mail_kind and id < $3
     and (sent_at is null or sent_at > clock_timestamp() - interval '1 hour')`,
);

/** Looks up who a queued mail is for, and makes the token of its link. */
export async function prepareMail(services: Pick<Services, 'db' | 'events'>, mail: ClaimedMail): Promise<PreparedMail> {
  const { kind, recipient } = mail;
  const [user] = await services.db.query<Recipient>(RECIPIENT, [recipient]);
  if (kind === 'VERIFY_EMAIL') return prepareLink(services.db, mail, user);
  if (user === undefined) return { needless: 'NOBODY' };
  // What tells of a changed password always arrives: only who knows the password, or has the mailbox, causes it.
  if (kind !== 'PASSWORD_CHANGED' && (await areTooMany(services.db, mail))) return { needless: 'TOO_MANY' };
  const { id: accountId, language } = user;
  if (kind !== 'RESET_PASSWORD') return { kind, language, token: null };
  const token = await transaction(services, async (tx) => {
    if (mail.attempts === 1) {
      const asker = byProof({ clientAddress: mail.address });
      await audit(tx, asker, { accountId, action: 'PASSWORD_RESET_REQUESTED' });
    }
    return issueResetToken(tx, accountId);
  });
  return { kind, language, token };
}

/** @param user who has the address already */
async function prepareLink(db: Sql, mail: ClaimedMail, user: Recipient | undefined): Promise<PreparedMail> {
  const { recipient, registrationId } = mail;
  const pending = await findPending(db, recipient, registrationId);
  // Nobody who has an account asked for another link of a sign-up.
  if (pending === undefined || (user !== undefined && registrationId === null)) return { needless: 'NOBODY' };
  if (await areTooMany(db, mail)) return { needless: 'TOO_MANY' };
  if (user !== undefined) return { kind: 'ALREADY_REGISTERED', language: user.language, token: null };
  const token = await issueLinkToken(db, pending.id);
  return token === undefined ? { needless: 'NOBODY' } : { kind: 'VERIFY_EMAIL', language: pending.language, token };
}

async function areTooMany(db: Sql, { recipient, kind, id }: ClaimedMail): Promise<boolean> {
  const [earlier] = await db.query<{ count: bigint }>(EARLIER, [recipient, kind, id]);
  return (earlier?.count ?? 0n) >= MAX_MAILS_PER_HOUR;
}
