import { createTransport, type NodemailerError } from 'nodemailer';

import { MailFailure, messageOf, type Mailer, type Sender } from './mail.ts';

/** Milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
const GREETING_TIMEOUT_MS = 10_000;
/** Silence of the server after that. */
const SOCKET_TIMEOUT_MS = 15_000;

/**
 * Sends over SMTP, one connection per mail. STARTTLS is used when the server offers it; `smtps:` is TLS from
 * the start. Options of nodemailer may stand in the URL (`?requireTLS=true`, `?tls.rejectUnauthorized=false`).
 * @param url `smtp://user:password@host:port`
 */
export function smtpMailer(url: string, from: () => Sender): Mailer {
  const transport = createTransport({
    url,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: GREETING_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
  });
  return {
    async send(mail, signal) {
      try {
        await transport.sendMail({ ...messageOf(mail, from()), signal });
      } catch (error) {
        throw failureOf(error);
      }
    },
  };
}

function failureOf(error: unknown): MailFailure {
  const { code = 'UNKNOWN', responseCode, command, permanent } = error as NodemailerError;
  return new MailFailure({ code, responseCode, command }, command === 'RCPT TO' && permanent === true);
}
