import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLogger, type Logger } from '../../src/log.ts';
import { composeMail } from '../../src/mail/compose.ts';
import { outboxMailer } from '../../src/mail/outbox.ts';
import { parseMail } from '../harness/mailbox.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'passerelle-outbox-'));
});
afterAll(() => rm(folder, { recursive: true }));

function recorder(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  return { log: createLogger('info', sink), lines };
}

const sender = () => ({ name: 'Passerelle', address: 'no-reply@localhost' });
const order = { to: 'zoe@example.com', token: 'abc-DEF_123', language: 'FR' } as const;
const signal = new AbortController().signal;

test('each mail is a complete message in a file that only its owner reads, and its link is logged', async () => {
  const { log, lines } = recorder();
  const outbox = path.join(folder, 'new', 'outbox');
  const mail = composeMail({ ...order, kind: 'RESET_PASSWORD' }, 'http://localhost:4000');
  await Promise.all(Array.from({ length: 5 }, () => outboxMailer(outbox, sender, log).send(mail, signal)));
  const files = await readdir(outbox);
  expect(files).toHaveLength(5);
  for (const file of files) {
    expect(file).toMatch(/^\d{4}-[\w-]+Z-[0-9a-f]{8}\.eml$/);
    expect((await stat(path.join(outbox, file))).mode & 0o777).toBe(0o600);
  }
  expect((await stat(outbox)).mode & 0o777).toBe(0o700);
  const raw = await readFile(path.join(outbox, files[0]!));
  expect(raw.toString('latin1').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  const parsed = await parseMail(raw);
  expect(parsed).toMatchObject({
    from: { name: 'Passerelle', address: 'no-reply@localhost' },
    to: [{ address: 'zoe@example.com' }],
    subject: 'Choisissez un nouveau mot de passe',
  });
  expect(parsed.text?.replaceAll('\r\n', '\n').trim()).toBe(mail.text.trim());
  expect(parsed.html?.replaceAll('\r\n', '\n').trim()).toBe(mail.html.trim());
  expect(lines.map(({ link }) => link)).toEqual(Array.from({ length: 5 }, () => mail.link));
  expect(new Set(lines.map(({ file }) => path.basename(String(file))))).toEqual(new Set(files));
});

test('a mail without a link logs none', async () => {
  const { log, lines } = recorder();
  const mail = composeMail({ ...order, token: null, kind: 'PASSWORD_CHANGED' }, 'http://localhost:4000');
  await outboxMailer(folder, sender, log).send(mail, signal);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toHaveProperty('link');
});

test('an outbox that cannot be written is a failure to try again', async () => {
  const { log, lines } = recorder();
  const file = path.join(folder, 'a file');
  await writeFile(file, '');
  const mail = composeMail({ ...order, kind: 'VERIFY_EMAIL' }, 'http://localhost:4000');
  const sending = outboxMailer(path.join(file, 'outbox'), sender, log).send(mail, signal);
  await expect(sending).rejects.toMatchObject({ facts: { code: 'ENOTDIR' }, hopeless: false });
  expect(lines).toEqual([]);
});
