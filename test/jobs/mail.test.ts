import { Writable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { FIRST_PAUSE_SECONDS, MAX_ATTEMPTS } from '../../src/jobs/mail.ts';
import { createLogger } from '../../src/log.ts';
import type { Mailer } from '../../src/mail/mail.ts';
import { smtpMailer } from '../../src/mail/smtp.ts';
import { claimMails, MAX_MAILS_PER_HOUR, queueMail, type NewMail } from '../../src/resolvers/auth/mailQueue.ts';
import { signUp } from '../../src/resolvers/auth/signUp.ts';
import { contextOf, makeAccount, openTestServices, type TestServices } from '../harness/context.ts';
import { openMailbox, tokenOf } from '../harness/mailbox.ts';
import { keepMails, makeDue, queued, runMails, sendDue, type KeptMails } from '../harness/mailRun.ts';

/** Of polls: far above what they take. */
const PATIENCE = { timeout: 20_000 };

let services: TestServices;
let mailer: KeptMails;
beforeEach(async () => {
  services = await openTestServices();
  mailer = keepMails();
});
afterEach(() => services[Symbol.asyncDispose]());

const ask = (recipient: string, kind: NewMail['kind'] = 'RESET_PASSWORD'): Promise<void> =>
  queueMail(services.db, { kind, recipient, address: '192.0.2.1' });

async function person(): Promise<string> {
  return (await makeAccount(services)).user.email ?? '';
}

const count = async (table: 'mail_token' | 'audit_log' | 'mail_queue'): Promise<bigint> =>
  (
    await services.db.query<{ n: bigint }>({ name: `testCount ${table}`, text: `select count(*) as n from ${table}` })
  )[0]!.n;

const sender = () => ({ name: 'Passerelle', address: 'no-reply@localhost' });

test('a mail goes to whoever has the address, with a token of its own that is only kept hashed', async () => {
  const [one, other] = [await person(), await person()];
  await ask(one);
  await ask(other);
  await ask(one);
  await sendDue(services, mailer);
  expect(mailer.sent.map(({ to }) => to).toSorted()).toEqual([one, one, other].toSorted());
  const tokens = mailer.sent.map(tokenOf);
  expect(new Set(tokens).size).toBe(3);
  for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  const rows = await services.db.query<{ row: string }>({
    name: 'testTokens',
    text: 'select row_to_json(t)::text || row_to_json(q)::text as row from mail_token t, mail_queue q',
  });
  expect(rows).toHaveLength(9);
  for (const { row } of rows) for (const token of tokens) expect(row).not.toContain(token);
  await sendDue(services, mailer);
  expect(mailer.sent).toHaveLength(3);
});

test('an address that nobody has, or that is confirmed already, gets nothing', async () => {
  await ask('nobody@example.com');
  await ask('nobody@example.com', 'VERIFY_EMAIL');
  await ask(await person(), 'VERIFY_EMAIL');
  await sendDue(services, mailer);
  expect(mailer.sent).toEqual([]);
  expect([await count('mail_queue'), await count('mail_token')]).toEqual([0n, 0n]);
});

test('the language is that of the account', async () => {
  const email = await person();
  const text = `update users set language = 'FR' where email = $1`;
  await services.db.query({ name: 'testFrench', text }, [email]);
  await ask(email);
  await sendDue(services, mailer);
  expect(mailer.sent[0]?.subject).toBe('Choisissez un nouveau mot de passe');
});

test('that a password reset was asked for is on record once, with the address of the client', async () => {
  mailer.failing = 2;
  await ask(await person());
  for (let tries = 0; tries < 3; tries += 1) {
    await sendDue(services, mailer);
    await makeDue(services);
  }
  expect(mailer.sent).toHaveLength(1);
  const text = `select action, address from audit_log where action like 'PASSWORD%'`;
  expect(await services.db.query({ name: 'testAsked', text })).toEqual([
    { action: 'PASSWORD_RESET_REQUESTED', address: '192.0.2.1' },
  ]);
});

test('pauses grow, and after the last attempt the mail is dropped with an error in the log', async () => {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const email = await person();
  await ask(email);
  mailer.failing = Infinity;
  for (let attempts = 1; attempts < MAX_ATTEMPTS; attempts += 1) {
    await sendDue(services, mailer, createLogger('info', sink));
    const [mail] = await queued(services);
    expect(mail).toMatchObject({ attempts, sent: false, lastError: '{"code":"ECONNECTION"}' });
    const pause = FIRST_PAUSE_SECONDS * 4 ** (attempts - 1);
    expect(mail!.dueInSeconds).toBeGreaterThan(pause - 2);
    expect(mail!.dueInSeconds).toBeLessThanOrEqual(pause);
    await makeDue(services);
  }
  await sendDue(services, mailer, createLogger('info', sink));
  expect(await queued(services)).toEqual([]);
  expect(lines.map(({ level }) => level)).toEqual([...Array.from({ length: MAX_ATTEMPTS - 1 }, () => 40), 50]);
  expect(lines.at(-1)).toMatchObject({ code: 'ECONNECTION', kind: 'RESET_PASSWORD', attempts: MAX_ATTEMPTS });
  expect(JSON.stringify(lines)).not.toContain(email);
});

test('a mail that cannot even be looked up is given up after as many attempts, and others are sent', async () => {
  const [poison, other] = [await person(), await person()];
  const { db } = services;
  const query: typeof db.query = (statement, values) => {
    if (values?.[0] === poison && statement.name === 'mailRecipient') throw new Error('cannot be looked up');
    return db.query(statement, values);
  };
  const failing = { ...services, db: { ...db, query } };
  await ask(poison);
  await ask(other);
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    await expect(sendDue(failing, mailer)).rejects.toThrow('cannot be looked up');
    await makeDue(services);
  }
  expect(await queued(services)).toContainEqual(expect.objectContaining({ recipient: poison, attempts: MAX_ATTEMPTS }));
  await sendDue(failing, mailer);
  expect(await queued(services)).toEqual([expect.objectContaining({ recipient: other, sent: true })]);
  expect(mailer.sent.map(({ to }) => to)).toEqual([other]);
});

test('a recipient that is refused for good is not tried again', async () => {
  const email = await person();
  await using mailbox = await openMailbox({ refuse: () => 550 });
  await ask(email);
  await sendDue(services, smtpMailer(mailbox.url, sender));
  expect(await queued(services)).toEqual([]);
});

test('wrong credentials: tried again, and told without the secret', async () => {
  let logged = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString();
      done();
    },
  });
  const email = await person();
  await using mailbox = await openMailbox({ login: { user: 'robot', password: 'right' } });
  await ask(email);
  const wrong = smtpMailer(`smtp://robot:wr0ng-secret@127.0.0.1:${mailbox.port}`, sender);
  await sendDue(services, wrong, createLogger('trace', sink));
  expect((await queued(services))[0]).toMatchObject({ attempts: 1, sent: false });
  expect((await queued(services))[0]?.lastError).toContain('"responseCode":535');
  expect(logged).toContain('"code":"EAUTH"');
  const told = `${logged} ${(await queued(services))[0]?.lastError}`;
  for (const secret of ['wr0ng', Buffer.from('wr0ng-secret').toString('base64'), email, 'token='])
    expect(told).not.toContain(secret);
  await makeDue(services);
  await sendDue(services, smtpMailer(`smtp://robot:right@127.0.0.1:${mailbox.port}`, sender));
  expect((await mailbox.atLeast(1))[0]).toMatchObject({ user: 'robot', to: [email] });
});

test('a server that was down gets each mail once when it is up again', async () => {
  const email = await person();
  const first = await openMailbox();
  const { port, url } = first;
  await first[Symbol.asyncDispose]();
  await using _run = runMails(services, smtpMailer(url, sender));
  await ask(email);
  _run.wake();
  await expect.poll(async () => (await queued(services))[0]?.lastError, PATIENCE).toContain('ESOCKET');
  await using mailbox = await openMailbox({ port });
  await makeDue(services);
  _run.wake();
  await mailbox.atLeast(1);
  await expect.poll(async () => (await queued(services))[0]?.sent, PATIENCE).toBe(true);
  expect(mailbox.received.map(({ to }) => to)).toEqual([[email]]);
});

test('instances share the queue: each mail is sent once', async () => {
  const emails = await Promise.all(Array.from({ length: 4 }, person));
  const many = emails.flatMap((email) => [email, email, email, email, email, email]);
  await using mailbox = await openMailbox();
  for (const email of many) await ask(email);
  const instances = Array.from({ length: 3 }, () => runMails(services, smtpMailer(mailbox.url, sender)));
  for (const { wake } of instances) wake();
  await mailbox.atLeast(many.length);
  await expect.poll(async () => (await queued(services)).every(({ sent }) => sent), PATIENCE).toBe(true);
  for (const instance of instances) await instance[Symbol.asyncDispose]();
  expect(mailbox.received.flatMap(({ to }) => to).toSorted()).toEqual(many.toSorted());
  expect(new Set(mailbox.received.map(({ mail }) => tokenOf(mail))).size).toBe(many.length);
});

test('a mail that an instance took before it died is sent by another one later', async () => {
  const email = await person();
  await ask(email);
  expect(await claimMails(services.db)).toHaveLength(1);
  await sendDue(services, mailer);
  expect(mailer.sent).toEqual([]);
  expect((await queued(services))[0]?.dueInSeconds).toBeGreaterThan(60);
  await makeDue(services);
  await sendDue(services, mailer);
  expect(mailer.sent.map(({ to }) => to)).toEqual([email]);
  expect((await queued(services))[0]).toMatchObject({ attempts: 2, sent: true });
});

describe('nobody is bombed', () => {
  test('within an hour a recipient gets so many mails, and the notice of a changed password', async () => {
    const [victim, other] = [await person(), await person()];
    for (let asked = 0; asked < MAX_MAILS_PER_HOUR + 5; asked += 1) await ask(victim);
    await ask(victim, 'PASSWORD_CHANGED');
    await ask(other);
    await sendDue(services, mailer);
    const to = mailer.sent.map((mail) => mail.to);
    expect(to.filter((address) => address === victim)).toHaveLength(MAX_MAILS_PER_HOUR + 1);
    expect(mailer.sent.map(({ subject }) => subject)).toContain('Your password was changed');
    expect(to).toContain(other);
    expect(await count('mail_queue')).toBe(BigInt(MAX_MAILS_PER_HOUR + 2));
    const text = `update mail_queue set sent_at = sent_at - interval '61 minutes'`;
    await services.db.query({ name: 'testLater', text });
    await ask(victim);
    await sendDue(services, mailer);
    expect(mailer.sent).toHaveLength(MAX_MAILS_PER_HOUR + 3);
  });
});

test('mails of one kind, which strangers can ask for, do not keep those of another from arriving', async () => {
  const victim = await person();
  const password = 'planted password';
  for (let count = 0; count < MAX_MAILS_PER_HOUR + 5; count += 1) {
    const stranger = contextOf(services, null, `10.0.0.${count}`);
    await signUp(stranger, { username: `stranger ${count}`, email: victim, password, language: 'EN' });
  }
  await sendDue(services, mailer);
  await ask(victim);
  await sendDue(services, mailer);
  const subjects = mailer.sent.map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject === 'You have an account already')).toHaveLength(MAX_MAILS_PER_HOUR);
  expect(subjects.at(-1)).toBe('Choose a new password');
});

test('a link sent again prolongs the sign-up, to seven days at most', async () => {
  const email = 'zoe@example.com';
  const one = contextOf(services, null, '10.0.1.1');
  await signUp(one, { username: 'zoe', email, password: 'a long password', language: 'EN' });
  const age = async (hours: number): Promise<void> => {
    const passed = `- make_interval(hours => ${hours})`;
    const token = `update mail_token set expires_at = expires_at ${passed}`;
    const signedUp = `update registration set created_at = created_at ${passed}, expires_at = expires_at ${passed}`;
    for (const text of [token, signedUp]) await services.db.query({ name: '', text });
  };
  const left = async (): Promise<[number, number]> => {
    await sendDue(services, mailer);
    const text = `select round(extract(epoch from r.expires_at - clock_timestamp()) / 3600)::int as "signUp",
      round(extract(epoch from max(t.expires_at) - clock_timestamp()) / 3600)::int as link
      from registration r join mail_token t on t.registration_id = r.id group by r.id`;
    const [row] = await services.db.query<{ signUp: number; link: number }>({ name: 'testHoursLeft', text });
    return [row!.signUp, row!.link];
  };
  expect(await left()).toEqual([24, 24]);
  for (const [hours, expected] of [
    [20, 24],
    [23, 24],
    [23, 24],
    [23, 24],
    [23, 24],
    [23, 24],
    [23, 10],
  ] as const) {
    await age(hours);
    await ask(email, 'VERIFY_EMAIL');
    expect(await left()).toEqual([expected, expected]);
  }
  await age(10);
  await ask(email, 'VERIFY_EMAIL');
  await sendDue(services, mailer);
  expect(mailer.sent).toHaveLength(8);
});

test('a server that stops lets a mail end, and gives up one that takes too long', async () => {
  const [quick, slow] = [await person(), await person()];
  await ask(quick);
  await ask(slow);
  let begun = 0;
  let bothBegun = (): void => {};
  const began = new Promise<void>((resolve) => (bothBegun = resolve));
  let finishQuick = (): void => {};
  const patient: Mailer = {
    send: ({ to }, signal) =>
      new Promise((resolve, reject) => {
        if (to === quick) finishQuick = resolve;
        signal.addEventListener('abort', () => reject(new Error('given up')));
        if ((begun += 1) === 2) bothBegun();
      }),
  };
  const run = runMails(services, patient);
  await began;
  const stopped = run[Symbol.asyncDispose]();
  finishQuick();
  await stopped;
  expect(await queued(services)).toEqual([
    expect.objectContaining({ recipient: quick, sent: true }),
    expect.objectContaining({ recipient: slow, sent: false, attempts: 1, lastError: '{"code":"UNKNOWN"}' }),
  ]);
});
