import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { expect, test } from 'vitest';

import { composeMail } from '../../src/mail/compose.ts';
import { MailFailure, type Mailer, type Sender } from '../../src/mail/mail.ts';
import { smtpMailer } from '../../src/mail/smtp.ts';
import { openMailbox } from '../harness/mailbox.ts';

const SENDER: Sender = { name: 'Le Proxy, « Français »', address: 'bot@example.com' };
const LOGIN = { user: 'robot', password: 'p@ss/word:é' };
const order = { to: 'zoe@example.com', token: 'abc-DEF_123', kind: 'VERIFY_EMAIL', language: 'FR' } as const;
const mail = composeMail(order, 'https://proxy.example');

const mailer = (url: string): Mailer => smtpMailer(url, () => SENDER);
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const credentials = (password: string): string => `${LOGIN.user}:${encodeURIComponent(password)}`;

async function failure(sending: Promise<void>): Promise<MailFailure> {
  const error: unknown = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MailFailure);
  return error as MailFailure;
}

test('a mail arrives whole: sender, recipient, subject, both parts', async () => {
  await using mailbox = await openMailbox();
  await mailer(mailbox.url).send(mail, soon());
  const [received] = await mailbox.atLeast(1);
  expect(received).toMatchObject({ from: 'bot@example.com', to: ['zoe@example.com'], secure: false });
  expect(received!.mail).toMatchObject({
    from: { name: 'Le Proxy, « Français »', address: 'bot@example.com' },
    to: [{ address: 'zoe@example.com' }],
    subject: 'Confirmez votre adresse email',
  });
  expect(received!.mail.text?.trim()).toBe(mail.text.trim());
  expect(received!.mail.html?.trim()).toBe(mail.html.trim());
  const header = (name: string) => received!.mail.headers.find(({ key }) => key === name)?.value;
  expect(header('auto-submitted')).toBe('auto-generated');
  expect(header('message-id')).toMatch(/@example\.com>$/);
  expect(received!.raw).toMatch(/^[\r\n\x20-\x7e]*$/);
});

test('STARTTLS and a login are used when the server wants them', async () => {
  await using mailbox = await openMailbox({ login: LOGIN, tls: true });
  const url = `smtp://${credentials(LOGIN.password)}@127.0.0.1:${mailbox.port}?tls.rejectUnauthorized=false`;
  await mailer(url).send(mail, soon());
  expect((await mailbox.atLeast(1))[0]).toMatchObject({ secure: true, user: 'robot' });
});

test('a server with a certificate that nobody vouches for gets nothing', async () => {
  await using mailbox = await openMailbox({ login: LOGIN, tls: true });
  const url = `smtp://${credentials(LOGIN.password)}@127.0.0.1:${mailbox.port}`;
  expect((await failure(mailer(url).send(mail, soon()))).hopeless).toBe(false);
  expect(mailbox.received).toEqual([]);
});

test('a wrong password is a failure that repeats neither it nor what the server said', async () => {
  await using mailbox = await openMailbox({ login: LOGIN });
  const url = `smtp://${credentials('wr0ng-secret')}@127.0.0.1:${mailbox.port}`;
  const error = await failure(mailer(url).send(mail, soon()));
  expect(error).toMatchObject({ facts: { code: 'EAUTH', responseCode: 535 }, hopeless: false });
  const everything = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
  for (const secret of ['wr0ng-secret', Buffer.from('wr0ng-secret').toString('base64'), 'Bad credentials'])
    expect(everything).not.toContain(secret);
  expect(mailbox.received).toEqual([]);
});

test('a recipient that is refused for good is hopeless, one that is put off is not', async () => {
  await using mailbox = await openMailbox({ refuse: (address) => (address.startsWith('zoe') ? 550 : 450) });
  const refused = await failure(mailer(mailbox.url).send(mail, soon()));
  expect(refused).toMatchObject({ facts: { responseCode: 550, command: 'RCPT TO' }, hopeless: true });
  expect(refused.message).not.toContain('zoe');
  const putOff = await failure(mailer(mailbox.url).send({ ...mail, to: 'later@example.com' }, soon()));
  expect(putOff).toMatchObject({ facts: { responseCode: 450 }, hopeless: false });
});

test('nobody is waited for longer than the signal allows', async () => {
  const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const stop = new AbortController();
  silent.once('connection', () => stop.abort());
  const error = await failure(mailer(`smtp://127.0.0.1:${port}`).send(mail, stop.signal));
  expect(error).toMatchObject({ facts: { code: 'EABORT' }, hopeless: false });
  await new Promise((resolve) => silent.close(resolve));
});

test('no address can add headers or recipients', async () => {
  await using mailbox = await openMailbox();
  const to = 'zoe@example.com\r\nBcc: spy@example.com';
  await mailer(mailbox.url)
    .send({ ...mail, to, subject: 'Hello\r\nBcc: spy@example.com' }, soon())
    .catch(() => {});
  for (const { to: recipients, mail: parsed } of mailbox.received) {
    expect(recipients).toHaveLength(1);
    expect(parsed.bcc ?? []).toEqual([]);
  }
});
