import { startJobs } from '../../src/jobs/job.ts';
import { sendMails } from '../../src/jobs/mail.ts';
import type { Logger } from '../../src/log.ts';
import { MailFailure, type Mail, type Mailer } from '../../src/mail/mail.ts';
import type { Services } from '../../src/context.ts';

/** A mailer that keeps what it is given. */
export interface KeptMails extends Mailer {
  readonly sent: readonly Mail[];
  /** Resolves with all mails once there are so many. */
  atLeast(count: number): Promise<readonly Mail[]>;
  /** How many of the next mails fail. */
  failing: number;
}

export function keepMails(): KeptMails {
  const sent: Mail[] = [];
  let waiting: { readonly count: number; readonly resolve: (all: readonly Mail[]) => void }[] = [];
  return {
    sent,
    failing: 0,
    async send(mail) {
      if (this.failing > 0) {
        this.failing -= 1;
        throw new MailFailure({ code: 'ECONNECTION' });
      }
      sent.push(mail);
      const ready = waiting.filter(({ count }) => sent.length >= count);
      waiting = waiting.filter((one) => !ready.includes(one));
      for (const { resolve } of ready) resolve(sent);
    },
    atLeast: (count) =>
      sent.length >= count ? Promise.resolve(sent) : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

/** Sends everything that is due in the queue, as one instance does, until nothing is. */
export async function sendDue(services: Services, mailer: Mailer, log: Logger = services.log): Promise<void> {
  await sendMails.run({ services, mailer, log }, new AbortController().signal);
}

/** An instance that sends mails. */
export interface MailRun extends AsyncDisposable {
  readonly wake: () => void;
}

export function runMails(services: Services, mailer: Mailer, log: Logger = services.log): MailRun {
  const jobs = startJobs([sendMails], { services, mailer, log });
  return { wake: () => jobs.wake(sendMails.name), [Symbol.asyncDispose]: () => jobs.stop() };
}

/** Lets every waiting mail be due. */
export async function makeDue({ db }: Pick<Services, 'db'>): Promise<void> {
  await db.query({
    name: 'testMailDue',
    text: "update mail_queue set next_at = date_trunc('milliseconds', clock_timestamp())",
  });
}

/** What the queue holds, in order. */
export function queued({ db }: Pick<Services, 'db'>): Promise<Queued[]> {
  const text = `select kind::text as kind, recipient, attempts, sent_at is not null as sent, last_error as "lastError",
     extract(epoch from next_at - clock_timestamp())::float8 as "dueInSeconds" from mail_queue order by id`;
  return db.query<Queued>({ name: 'testMailQueue', text });
}

export interface Queued {
  readonly kind: string;
  readonly recipient: string;
  readonly attempts: number;
  readonly sent: boolean;
  readonly lastError: string | null;
  readonly dueInSeconds: number;
}
