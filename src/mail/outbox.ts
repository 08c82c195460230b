import { randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { createTransport } from 'nodemailer';

import type { Logger } from '../log.ts';
import { MailFailure, messageOf, type Mailer, type Sender } from './mail.ts';

/**
 * Without SMTP: each mail is a complete message (RFC 5322) in a file of its own, which only the owner of the server
 * can read. The link is logged, because otherwise nobody could follow it.
 * @param folder made when it is missing
 */
export function outboxMailer(folder: string, from: () => Sender, log: Logger): Mailer {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  return {
    async send(mail) {
      try {
        const { message } = await transport.sendMail(messageOf(mail, from()));
        const file = await writeMessage(folder, message as Buffer);
        log.info({ file, ...(mail.link !== undefined && { link: mail.link }) }, 'a mail lies in the outbox');
      } catch (error) {
        throw new MailFailure({ code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN' });
      }
    },
  };
}

/** Under its name a message is always whole: it is written under another one first. */
async function writeMessage(folder: string, message: Buffer): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(4).toString('hex')}`;
  const [draft, file] = [path.join(folder, `.${name}.draft`), path.join(folder, `${name}.eml`)];
  await writeFile(draft, message, { mode: 0o600, flag: 'wx' });
  await rename(draft, file);
  return file;
}
