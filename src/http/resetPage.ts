import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Where the mail that resets a password leads, with `?token=…`. */
export const RESET_PATH = '/reset-password';

/** Words of the page in one language; the messages by what the API answers. */
interface Words {
  readonly lang: string;
  readonly title: string;
  readonly label: string;
  readonly button: string;
  readonly noScript: string;
  readonly messages: Readonly<Record<'DONE' | 'INVALID_TOKEN' | 'BAD_INPUT' | 'THROTTLED' | 'OTHER', string>>;
}

const EN: Words = {
  lang: 'en',
  title: 'Choose a new password',
  label: 'New password, 8 characters or more',
  button: 'Set the password',
  noScript: 'This page needs JavaScript. The mail says how to do it without.',
  messages: {
    DONE: 'The password is set. Sign in with it; sessions that were open have ended, API keys still work.',
    INVALID_TOKEN: 'This link is not valid, was used or has expired. Ask for another mail.',
    BAD_INPUT: 'That password cannot be taken: it needs 8 to 1000 characters on one line.',
    THROTTLED: 'Too many attempts. Wait a while, then try again.',
    OTHER: 'That did not work. Try again shortly.',
  },
};

const FR: Words = {
  lang: 'fr',
  title: 'Choisissez un nouveau mot de passe',
  label: 'Nouveau mot de passe, au moins 8 caractères',
  button: 'Enregistrer',
  noScript: 'Cette page a besoin de JavaScript. L’email dit comment faire sans.',
  messages: {
    DONE: 'Le mot de passe est enregistré. Connectez-vous avec lui ; les sessions ouvertes sont fermées, les clés API restent valables.',
    INVALID_TOKEN: 'Ce lien n’est pas valide, a déjà servi ou a expiré. Demandez un nouvel email.',
    BAD_INPUT: 'Ce mot de passe ne convient pas : il faut 8 à 1000 caractères, sur une seule ligne.',
    THROTTLED: 'Trop de tentatives. Patientez un moment, puis réessayez.',
    OTHER: 'Cela n’a pas fonctionné. Réessayez bientôt.',
  },
};

const STYLE =
  'body{font-family:sans-serif;line-height:1.5;max-width:32em;margin:3em auto;padding:0 1em}input,button{font:inherit;padding:.4em;display:block;width:100%;box-sizing:border-box;margin:.5em 0}';

/** The token leaves the address bar at once, so that neither history nor a shared screen keeps it. */
const scriptOf = ({ messages }: Words): string => `
const token = new URLSearchParams(location.search).get('token') ?? '';
history.replaceState(null, '', location.pathname);
const messages = ${JSON.stringify(messages)};
const query = 'mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename ... on Error { code } } }';
const form = document.querySelector('form');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  button.disabled = true;
  let code = 'OTHER';
  try {
    const variables = { input: { token, password: form.querySelector('input').value } };
    const body = JSON.stringify({ query, variables });
    const headers = { 'content-type': 'application/json' };
    const answer = await (await fetch('graphql', { method: 'POST', headers, body, credentials: 'omit' })).json();
    const result = answer.data?.resetPassword;
    code = result === undefined ? 'OTHER' : (result.code ?? 'DONE');
  } catch {}
  document.querySelector('output').textContent = messages[code] ?? messages.OTHER;
  form.hidden = code === 'DONE' || code === 'INVALID_TOKEN';
  button.disabled = false;
});
`;

interface Page {
  readonly body: Buffer;
  readonly policy: string;
  readonly lang: string;
}

function render(words: Words): Page {
  const script = scriptOf(words);
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const html = `<!doctype html>
<html lang="${words.lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${words.title}</title>
<style>${STYLE}</style></head>
<body>
<h1>${words.title}</h1>
<output aria-live="polite"></output>
<form><label>${words.label}<input type="password" autocomplete="new-password" minlength="8" maxlength="1000" required></label>
<button>${words.button}</button></form>
<noscript>${words.noScript}</noscript>
<script>${script}</script>
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(STYLE)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { body: Buffer.from(html), policy, lang: words.lang };
}

const PAGES = { en: render(EN), fr: render(FR) };

/** Answers the page on which the owner of a mailbox chooses a new password; the API does the rest. */
export function answerResetPage({ method, headers }: IncomingMessage, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const { body, policy, lang } = prefersFrench(headers['accept-language']) ? PAGES.fr : PAGES.en;
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': body.length,
    'content-language': lang,
    'content-security-policy': policy,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    vary: 'accept-language',
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/** Browsers name the language they prefer first. */
function prefersFrench(acceptLanguage: string | undefined): boolean {
  return /^\s*fr\b/i.test(acceptLanguage ?? '');
}
