import type { Services } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { MAX_MAILS_PER_HOUR, type ClaimedMail } from './mailQueue.ts';
import { issueToken } from './mailTokens.ts';
import type { User } from '../../../prisma/generated/client/client.ts';

/** What is needed to write a mail, or why there is none to write. */
export type PreparedMail =
  | { readonly language: User['language']; readonly token: string | null }
  /** Nobody has the address, or nothing is left to confirm; the recipient got enough mails within the last hour. */
  | { readonly needless: 'NOBODY' | 'TOO_MANY' };

interface Recipient {
  readonly id: bigint;
  readonly language: User['language'];
  readonly email_verified: boolean;
  /** Mails to the same address before this one, within the hour or still to be sent. */
  readonly earlier: bigint;
}

// What tells of a changed password always arrives: only who knows the password, or has the mailbox, causes it.
const RECIPIENT = sql(
  'mailRecipient',
  `select u.id, u.language::text as language, u.email_verified,
     (select count(*) from mail_queue q
      where q.recipient = u.email and q.id < $2 and q.kind <> 'PASSWORD_CHANGED'
        and (q.sent_at is null or q.sent_at > clock_timestamp() - interval '1 hour')) as earlier
   from users u where u.email = $1`,
);

/** Looks up who a queued mail is for, and makes the token of its link. */
export async function prepareMail(
  services: Pick<Services, 'db' | 'events' | 'now'>,
  mail: ClaimedMail,
): Promise<PreparedMail> {
  const { kind, recipient } = mail;
  const [user] = await services.db.query<Recipient>(RECIPIENT, [recipient, mail.id]);
  if (user === undefined || (kind === 'VERIFY_EMAIL' && user.email_verified)) return { needless: 'NOBODY' };
  if (kind !== 'PASSWORD_CHANGED' && user.earlier >= MAX_MAILS_PER_HOUR) return { needless: 'TOO_MANY' };
  if (kind !== 'VERIFY_EMAIL' && kind !== 'RESET_PASSWORD') return { language: user.language, token: null };
  const token = await transaction(services, async (tx) => {
    if (kind === 'RESET_PASSWORD' && mail.attempts === 1) {
      const asked = { viewer: null, clientAddress: mail.address };
      await audit(tx, asked, { accountId: user.id, action: 'PASSWORD_RESET_REQUESTED' });
    }
    return issueToken(tx, user.id, kind, services.now());
  });
  return { language: user.language, token };
}
