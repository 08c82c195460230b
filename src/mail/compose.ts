import type { Mail } from './mail.ts';
import { LETTERS, type Block, type MailKind, type MailLanguage } from './texts.ts';

/** What a mail is made of. */
export interface MailOrder {
  readonly kind: MailKind;
  readonly language: MailLanguage;
  readonly to: string;
  /** Of the link; null for mails without one. URL-safe. */
  readonly token: string | null;
}

/** Where the links of mails lead, below the public URL. */
const PATHS: Readonly<Partial<Record<MailKind, string>>> = {
  VERIFY_EMAIL: '/auth/verify-email',
  RESET_PASSWORD: '/reset-password',
};

/** Words a mail in its language, as plain text and as HTML. */
export function composeMail({ kind, language, to, token }: MailOrder, publicUrl: string): Mail {
  const path = PATHS[kind];
  const link = path === undefined || token === null ? undefined : `${publicUrl}${path}?token=${token}`;
  const { subject, blocks } = LETTERS[language][kind]({ link: link ?? publicUrl, token: token ?? '', publicUrl });
  const text = `${blocks.map(textOf).join('\n\n')}\n`;
  const html = `<!doctype html>
<html lang="${language.toLowerCase()}">
<head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">
${blocks.map(htmlOf).join('\n')}
</body>
</html>
`;
  return { to, subject, text, html, link };
}

function textOf(block: Block): string {
  if (typeof block === 'string') return block;
  return 'link' in block ? block.link : block.code;
}

function htmlOf(block: Block): string {
  if (typeof block === 'string') return `<p>${escapeHtml(block)}</p>`;
  if ('code' in block) return `<pre style="white-space: pre-wrap">${escapeHtml(block.code)}</pre>`;
  const address = escapeHtml(block.link);
  return `<p><a href="${address}">${address}</a></p>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
