/** A mail to one recipient, ready to be sent. */
export interface Mail {
  /** Address alone, checked when the account was made. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** What the mail asks to follow; holds a token. Without SMTP the operator finds it in the log. */
  readonly link: string | undefined;
}

/** A way to send mails. */
export interface Mailer {
  /**
   * Hands a mail over.
   * @param signal gives up when it fires; the mail may or may not have been taken then
   * @throws MailFailure
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** What of a failure may be logged and stored: server's words could repeat addresses and credentials. */
export interface FailureFacts {
  /** `EAUTH`, `ECONNECTION`, `ETIMEDOUT`, `ENOSPC` … */
  readonly code: string;
  /** Reply code of the SMTP server (RFC 5321, section 4.2). */
  readonly responseCode?: number | undefined;
  /** SMTP command that was refused. */
  readonly command?: string | undefined;
}

/** A mail could not be handed over. Carries no words of the server and no cause, on purpose. */
export class MailFailure extends Error {
  override readonly name = 'MailFailure';
  readonly facts: FailureFacts;
  /** The recipient is refused for good: trying again would get the same answer. */
  readonly hopeless: boolean;

  constructor(facts: FailureFacts, hopeless = false) {
    super([facts.code, facts.responseCode, facts.command].filter((part) => part !== undefined).join(' '));
    this.facts = facts;
    this.hopeless = hopeless;
  }
}

/** Who mails come from. */
export interface Sender {
  readonly name: string;
  readonly address: string;
}

/** Reads `no-reply@example.com` or `Passerelle <no-reply@example.com>`. */
export function parseSender(text: string): Sender {
  const [, name = '', address = text] = /^"?([^"]*?)"? <(.+)>$/.exec(text) ?? [];
  return { name, address };
}

/** The sender of a server that has no other: `no-reply` at the host of its public address. */
export function defaultSender(publicUrl: string): Sender {
  return { name: 'Passerelle', address: `no-reply@${domainOf(new URL(publicUrl).hostname)}` };
}

/** A host as mail addresses write it: numbers in brackets (RFC 5321, section 4.1.3). */
function domainOf(host: string): string {
  if (host.startsWith('[')) return `[IPv6:${host.slice(1)}`;
  return /^[\d.]+$/.test(host) ? `[${host}]` : host;
}

/** What nodemailer is given: neither files nor addresses on the net are ever read for a mail. */
export function messageOf({ to, subject, text, html }: Mail, from: Sender) {
  return {
    from: { ...from },
    to: { name: '', address: to },
    ...{ subject, text, html },
    // No holiday replies, please (RFC 3834, section 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
