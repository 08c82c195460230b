import path from 'node:path';

import type { Config } from './config.ts';
import type { Services } from './context.ts';
import { startJobs } from './jobs/job.ts';
import { sendMails } from './jobs/mail.ts';
import { defaultSender, parseSender, type Mailer } from './mail/mail.ts';
import { outboxMailer } from './mail/outbox.ts';
import { smtpMailer } from './mail/smtp.ts';
import type { Teardown } from './teardown.ts';

/**
 * Starts sending mails: over SMTP, or into files when no server is configured. Links name the public URL, which must
 * be known by now.
 * @returns wakes the job that sends
 */
export function startMail(config: Config, services: Services, teardown: Teardown): () => void {
  const { log } = services;
  const jobs = startJobs([sendMails], { services, log, mailer: createMailer(config, services) });
  teardown.add('mail', () => jobs.stop());
  return () => jobs.wake(sendMails.name);
}

function createMailer({ SMTP_URL, MAIL_FROM, DATA_DIR }: Config, { publicUrl, log }: Services): Mailer {
  const from = () => (MAIL_FROM === undefined ? defaultSender(publicUrl()) : parseSender(MAIL_FROM));
  return SMTP_URL === undefined ? outboxMailer(path.join(DATA_DIR, 'outbox'), from, log) : smtpMailer(SMTP_URL, from);
}
