import type { SqlDatabase } from '../database/sql.ts';
import type { Logger } from '../log.ts';
import { composeMail } from '../mail/compose.ts';
import { MailFailure, type FailureFacts, type Mailer } from '../mail/mail.ts';
import {
  CLAIM_BATCH,
  claimMails,
  forgetMail,
  markSent,
  postponeMail,
  type ClaimedMail,
} from '../resolvers/auth/mailQueue.ts';
import { prepareMail } from '../resolvers/auth/prepareMail.ts';
import type { Job } from './job.ts';

/** What sending mails needs. */
export interface MailContext {
  readonly services: Parameters<typeof prepareMail>[0] & {
    readonly db: SqlDatabase;
    readonly publicUrl: () => string;
  };
  readonly mailer: Mailer;
  readonly log: Logger;
}

const SECOND_MS = 1_000;
/** Attempts at one mail; the last one comes about 7.5 hours after the first. */
export const MAX_ATTEMPTS = 8;
/** Pause before the second attempt, seconds; each pause after it is so many times as long. */
export const FIRST_PAUSE_SECONDS = 5;
const PAUSE_GROWTH = 4;
/** Longest time for one mail, well below what a claim lasts. */
const SEND_TIMEOUT_MS = 45 * SECOND_MS;
/** What is being sent when the server stops has this long to end. */
const DRAIN_MS = 3 * SECOND_MS;

/** Sends what is in the queue, when it is woken and every few seconds. Each mail is claimed, sent outside of every transaction, and only then marked. */
export const sendMails: Job<MailContext> = {
  name: 'sendMails',
  pauseMs: 5 * SECOND_MS,
  atStart: true,
  async run(context, stopping) {
    const drained = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const drain = (): void => void (timer = setTimeout(() => drained.abort(), DRAIN_MS));
    stopping.addEventListener('abort', drain);
    try {
      while (!stopping.aborted) {
        const mails = await claimMails(context.services.db);
        const ended = await Promise.allSettled(mails.map((mail) => deliver(context, mail, drained.signal)));
        for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
        if (mails.length < CLAIM_BATCH) return;
      }
    } finally {
      stopping.removeEventListener('abort', drain);
      clearTimeout(timer);
    }
  },
};

/** @throws when the database fails; the mail is tried again once its claim has ended */
async function deliver(context: MailContext, mail: ClaimedMail, drained: AbortSignal): Promise<void> {
  const { services, mailer, log } = context;
  const about = { mail: String(mail.id), kind: mail.kind };
  // Its claims ended without a word so often: the instances died over it, or it cannot even be looked up.
  if (mail.attempts > MAX_ATTEMPTS) {
    await forgetMail(services.db, mail);
    log.error({ ...about, attempts: MAX_ATTEMPTS }, 'a mail could not be sent, and will not be');
    return;
  }
  const prepared = await prepareMail(services, mail);
  if ('needless' in prepared) {
    if (prepared.needless === 'TOO_MANY') log.warn(about, 'a mail was dropped: its recipient got too many already');
    await forgetMail(services.db, mail);
    return;
  }
  try {
    const letter = composeMail({ to: mail.recipient, ...prepared }, services.publicUrl());
    await mailer.send(letter, AbortSignal.any([drained, AbortSignal.timeout(SEND_TIMEOUT_MS)]));
  } catch (error) {
    await retryLater(context, mail, error);
    return;
  }
  await markSent(services.db, mail);
  log.debug(about, 'a mail was sent');
}

async function retryLater({ services, log }: MailContext, mail: ClaimedMail, error: unknown): Promise<void> {
  const { attempts } = mail;
  const facts: FailureFacts = error instanceof MailFailure ? error.facts : { code: 'UNKNOWN' };
  const about = { mail: String(mail.id), kind: mail.kind, attempts, ...facts };
  if (attempts >= MAX_ATTEMPTS || (error instanceof MailFailure && error.hopeless)) {
    await forgetMail(services.db, mail);
    log.error(about, 'a mail could not be sent, and will not be');
    return;
  }
  const seconds = FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** (attempts - 1);
  await postponeMail(services.db, mail, seconds, JSON.stringify(facts));
  log.warn({ ...about, seconds }, 'a mail could not be sent; it will be tried again');
}
