import type { AddressInfo } from 'node:net';

import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** A mail as an SMTP server got it. */
export interface Received {
  /** Of the envelope. */
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
  readonly mail: Email;
  /** It came over TLS. */
  readonly secure: boolean;
  /** Who signed in to send it. */
  readonly user: string | undefined;
}

export interface MailboxOptions {
  /** 0: any free one. */
  readonly port?: number;
  /** Who may send; absent: everybody, and nobody can sign in. */
  readonly login?: { readonly user: string; readonly password: string };
  /** STARTTLS with a certificate that nobody knows. */
  readonly tls?: boolean;
  /** Reply code to a recipient; absent: it is taken. */
  readonly refuse?: (recipient: string) => number | undefined;
}

/** A real SMTP server on 127.0.0.1. */
export interface Mailbox extends AsyncDisposable {
  readonly port: number;
  /** For clients that need not sign in. */
  readonly url: string;
  /** Every mail so far, in the order of arrival. */
  readonly received: readonly Received[];
  /** Resolves with all mails once there are so many. */
  atLeast(count: number): Promise<readonly Received[]>;
}

/** Reads a message with a parser that is not ours. */
export function parseMail(raw: string | Uint8Array): Promise<Email> {
  return PostalMime.parse(raw);
}

/** The token in the link of a mail. @throws when it has none */
export function tokenOf({ text }: Pick<Email, 'text'>): string {
  const [, token] = /[?&]token=([\w-]+)/.exec(text ?? '') ?? [];
  if (token === undefined) throw new Error(`no link in: ${text}`);
  return token;
}

export async function openMailbox(options: MailboxOptions = {}): Promise<Mailbox> {
  const { login, tls = false, refuse } = options;
  const received: Received[] = [];
  let waiting: { readonly count: number; readonly resolve: (all: readonly Received[]) => void }[] = [];
  const arrived = (mail: Received): void => {
    received.push(mail);
    const ready = waiting.filter(({ count }) => received.length >= count);
    waiting = waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve(received);
  };
  const keep = async (raw: string, { envelope, secure, user }: SMTPServerSession): Promise<void> => {
    const { mailFrom, rcptTo } = envelope;
    const from = mailFrom === false ? '' : mailFrom.address;
    const to = rcptTo.map(({ address }) => address);
    arrived({ from, to, raw, mail: await parseMail(raw), secure, user });
  };
  const server = new SMTPServer({
    authOptional: login === undefined,
    disabledCommands: [...(login === undefined ? ['AUTH'] : []), ...(tls ? [] : ['STARTTLS'])],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    onAuth({ username, password }, _session, done) {
      const good = username === login?.user && password === login?.password;
      // Some servers repeat what they were given.
      done(good ? null : new Error(`Bad credentials: ${username} ${password}`), good ? { user: username } : {});
    },
    onRcptTo({ address }, _session, done) {
      const responseCode = refuse?.(address);
      done(responseCode === undefined ? null : Object.assign(new Error(`<${address}> refused`), { responseCode }));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        void keep(Buffer.concat(chunks).toString('utf8'), session);
        done();
      });
    },
  });
  // Clients that go away in the middle are no fault of the test.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    ...{ port, received, url: `smtp://127.0.0.1:${port}` },
    atLeast: (count) =>
      received.length >= count ? Promise.resolve(received) : new Promise((resolve) => waiting.push({ count, resolve })),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)),
  };
}
