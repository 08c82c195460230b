import { describe, expect, test } from 'vitest';

import { composeMail } from '../../src/mail/compose.ts';
import { defaultSender, parseSender } from '../../src/mail/mail.ts';

const URL = 'https://proxy.example';
const TOKEN = 'ZmFrZS10b2tlbi1mb3ItdGVzdHM_-abcdefghijklmno';
const order = { to: 'person@example.com', token: TOKEN } as const;

const SUBJECTS = {
  EN: {
    VERIFY_EMAIL: 'Confirm your e-mail address',
    ALREADY_REGISTERED: 'You have an account already',
    RESET_PASSWORD: 'Choose a new password',
    PASSWORD_CHANGED: 'Your password was changed',
    WALLET_LINKED: 'A wallet was linked to your account',
    WALLET_UNLINKED: 'The wallet of your account was unlinked',
  },
  FR: {
    VERIFY_EMAIL: 'Confirmez votre adresse email',
    ALREADY_REGISTERED: 'Vous avez déjà un compte',
    RESET_PASSWORD: 'Choisissez un nouveau mot de passe',
    PASSWORD_CHANGED: 'Votre mot de passe a été modifié',
    WALLET_LINKED: 'Un wallet a été lié à votre compte',
    WALLET_UNLINKED: 'Le wallet de votre compte a été délié',
  },
} as const;
const KINDS = [
  'VERIFY_EMAIL',
  'ALREADY_REGISTERED',
  'RESET_PASSWORD',
  'PASSWORD_CHANGED',
  'WALLET_LINKED',
  'WALLET_UNLINKED',
] as const;
const cases = (['EN', 'FR'] as const).flatMap((language) => KINDS.map((kind) => ({ language, kind })));

describe.each(cases)('$kind in $language', ({ language, kind }) => {
  const mail = composeMail({ ...order, kind, language }, URL);

  test('has a subject in its language, and the same words as text and as HTML', () => {
    expect(mail.subject).toBe(SUBJECTS[language][kind]);
    expect(mail.to).toBe(order.to);
    expect(mail.html).toContain(`<html lang="${language.toLowerCase()}">`);
    const plain = mail.html
      .replace(/^[\s\S]*<body[^>]*>/, '')
      .replaceAll(/<[^>]+>/g, '\n')
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
    const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
    expect(words(plain)).toEqual(words(mail.text));
    expect(mail.text).not.toMatch(/undefined|null/);
  });

  test('has its link, if it is one that has', () => {
    const path = { VERIFY_EMAIL: '/auth/verify-email', RESET_PASSWORD: '/reset-password' }[kind as string];
    const link = path === undefined ? undefined : `${URL}${path}?token=${TOKEN}`;
    expect(mail.link).toBe(link);
    if (link === undefined) {
      expect(mail.text + mail.html).not.toContain(TOKEN);
    } else {
      expect(mail.text).toContain(`\n\n${link}\n\n`);
      expect(mail.html).toContain(`<a href="${link}">${link}</a>`);
    }
  });
});

test('a mail that resets a password says what to send where', () => {
  const { text } = composeMail({ ...order, kind: 'RESET_PASSWORD', language: 'FR' }, URL);
  expect(text).toContain(`\n\n${TOKEN}\n\n`);
  expect(text).toContain(`curl -X POST '${URL}/auth/reset-password'`);
  expect(text).toContain(JSON.stringify({ token: TOKEN, password: 'VOTRE_NOUVEAU_MOT_DE_PASSE' }));
});

test('what HTML would read as markup is written as text', () => {
  const { html } = composeMail({ ...order, kind: 'VERIFY_EMAIL', language: 'EN' }, 'https://a.example/?<script>&"');
  expect(html).not.toContain('<script>');
  expect(html).toContain('https://a.example/?&lt;script&gt;&amp;&quot;/auth/verify-email');
});

test.each([
  ['no-reply@example.com', { name: '', address: 'no-reply@example.com' }],
  ['Le Proxy, SARL <bot@example.com>', { name: 'Le Proxy, SARL', address: 'bot@example.com' }],
  ['"Le Proxy, SARL" <bot@example.com>', { name: 'Le Proxy, SARL', address: 'bot@example.com' }],
])('the sender %s', (text, sender) => {
  expect(parseSender(text)).toEqual(sender);
});

test.each([
  ['https://proxy.example/api', 'no-reply@proxy.example'],
  ['http://localhost:4000', 'no-reply@localhost'],
  ['http://192.0.2.7:4000', 'no-reply@[192.0.2.7]'],
  ['http://[2001:db8::1]:4000', 'no-reply@[IPv6:2001:db8::1]'],
])('the sender of %s', (publicUrl, address) => {
  expect(defaultSender(publicUrl)).toEqual({ name: 'Passerelle', address });
});
