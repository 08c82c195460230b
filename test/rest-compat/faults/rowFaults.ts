import { PASSWORD } from '../world.ts';
import type { Cast, Part } from './cast.ts';
import { by, type Fault, type Parts } from './fault.ts';

/** A message of ours for the wallet, signed by it or by another one. */
async function signed({ world }: Cast, part: Part, { purpose = 'login', signer = part.wallet } = {}) {
  const url = `${world.http}/auth/nonce?address=${part.wallet.address}&purpose=${purpose}`;
  const { message } = (await (await fetch(url)).json()) as { message: string };
  return { address: part.wallet.address, message, signature: await signer.signMessage({ message }) };
}

const login = (part: Part, password = PASSWORD) => ({ fields: { email: part.email, password } });
const ask = (part: Part) => ({ fields: { email: part.email } });
/** Of what no chain can be asked about: no signature of a key. */
const CONTRACT_SIGNATURE = '0x1234';

const unknownId = by('NOT_FOUND', () => ({ id: 4711n }), 'an unknown key');
const foreignId = by('NOT_FOUND', ({ linked }) => ({ id: linked.keyId }), 'a key of another account');
const revokedId = by('KEY_IS_REVOKED', ({ revoked, world }) => revokedOf(world.http, revoked));
const ids = [unknownId, foreignId];

/** The key of an account can be revoked by a session of it only. */
async function revokedOf(http: string, part: Part): Promise<Parts> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ email: part.email, password: PASSWORD });
  const answer = await fetch(`${http}/auth/login`, { method: 'POST', headers, body });
  return { credential: ((await answer.json()) as { token: string }).token, id: part.keyId };
}

const walletFaults = (purpose: 'login' | 'link', credentialOf: (cast: Cast) => Parts): readonly Fault[] => [
  by('INVALID_CHALLENGE', async (cast) => {
    const other = await signed(cast, cast.plain, { purpose: purpose === 'link' ? 'login' : 'link' });
    return { ...credentialOf(cast), fields: other };
  }),
  by('INVALID_SIGNATURE', async (cast) => {
    const forged = await signed(cast, cast.plain, { purpose, signer: cast.linked.wallet });
    return { ...credentialOf(cast), fields: forged };
  }),
  by('ACCOUNT_SUSPENDED', async (cast) => ({
    ...credentialOf(cast),
    fields: await signed(cast, cast.suspendedWallet, { purpose }),
  })),
  by('UNAVAILABLE', async (cast) => {
    const asked = await signed(cast, cast.plain, { purpose });
    return { ...credentialOf(cast), fields: { ...asked, signature: CONTRACT_SIGNATURE } };
  }),
  by('THROTTLED', async (cast) => {
    const { address } = cast.hasty.wallet;
    const asked = await signed(cast, cast.plain, { purpose });
    const message = asked.message.replace(cast.plain.wallet.address, address);
    return { ...credentialOf(cast), fields: { address, message, signature: asked.signature } };
  }),
];

/** What is particular to a row. */
export const ROW_FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  'GET /auth/nonce': [
    by('BAD_INPUT', () => ({ query: { address: '0x12' } }), 'an address that is none'),
    by('BAD_INPUT', () => ({ query: { chain_id: '999999' } }), 'a chain that is not offered'),
    by('THROTTLED', ({ hasty }) => ({ query: { address: hasty.wallet.address } })),
  ],
  'POST /auth/wallet': walletFaults('login', () => ({})),
  'POST /auth/register': [
    by('BAD_INPUT', () => ({ fields: { password: 'short' } }), 'a weak password'),
    by('BAD_INPUT', () => ({ fields: { email: 'nobody' } }), 'an address that is none'),
    by('USERNAME_TAKEN', () => ({ fields: { username: 'Plain' } })),
    by('THROTTLED', ({ hasty }) => ({ fields: { email: hasty.email } })),
  ],
  'POST /auth/login': [
    by('INVALID_CREDENTIALS', ({ plain }) => login(plain, 'wrong'), 'a wrong password'),
    by('INVALID_CREDENTIALS', () => ({ fields: { email: 'nobody@example.com' } }), 'an unknown address'),
    by('EMAIL_NOT_VERIFIED', ({ unverified }) => login(unverified)),
    by('ACCOUNT_SUSPENDED', ({ suspended }) => login(suspended)),
    by('THROTTLED', ({ hasty }) => login(hasty)),
  ],
  'GET /auth/verify-email': [by('INVALID_TOKEN', () => ({ query: { token: 'unknown' } }))],
  'POST /auth/resend-verification': [by('THROTTLED', ({ hasty }) => ask(hasty))],
  'POST /auth/forgot-password': [by('THROTTLED', ({ hasty }) => ask(hasty))],
  'POST /auth/reset-password': [by('INVALID_TOKEN', () => ({}))],
  'POST /auth/change-password': [
    by('BAD_INPUT', () => ({ fields: { currentPassword: PASSWORD, newPassword: 'short' } }), 'a weak password'),
    by('WRONG_PASSWORD', () => ({ fields: { currentPassword: 'wrong' } })),
    by('NO_PASSWORD', ({ walletOnly }) => ({ credential: walletOnly.secret })),
    by('THROTTLED', ({ hasty }) => ({ credential: hasty.secret })),
  ],
  'POST /auth/link-wallet': [
    ...walletFaults('link', () => ({})),
    by('WALLET_TAKEN', async (cast) => ({ fields: await signed(cast, cast.linked, { purpose: 'link' }) })),
    by('MERGE_LIMIT_REACHED', async (cast) => ({ fields: await signed(cast, cast.crowded, { purpose: 'link' }) })),
    by('WALLET_ALREADY_LINKED', async (cast) => ({
      credential: cast.linked.secret,
      fields: await signed(cast, cast.plain, { purpose: 'link' }),
    })),
  ],
  'DELETE /auth/unlink-wallet': [
    by('NO_WALLET', () => ({})),
    by('LAST_CREDENTIAL', ({ walletOnly }) => ({ credential: walletOnly.secret })),
  ],
  'POST /keys': [
    by('BAD_INPUT', () => ({ fields: { name: '' } }), 'an empty name'),
    by('BAD_INPUT', () => ({ fields: { daily_limit: -1 } }), 'a limit below 0'),
    by('KEY_LIMIT_REACHED', ({ full }) => ({ credential: full.secret })),
  ],
  'GET /keys/:id': ids,
  'PUT /keys/:id': [...ids, revokedId, by('BAD_INPUT', () => ({ fields: { weekly_limit: -1 } }), 'a limit below 0')],
  'DELETE /keys/:id': ids,
  'GET /keys/:id/reveal': [
    ...ids,
    revokedId,
    by('KEY_NOT_RECOVERABLE', ({ sealed }) => ({ credential: sealed.secret, id: sealed.keyId })),
    by('THROTTLED', ({ hasty }) => ({ credential: hasty.secret, id: hasty.keyId })),
  ],
  'PUT /keys/:id/regenerate': [
    ...ids,
    revokedId,
    by('THROTTLED', ({ hasty }) => ({ credential: hasty.secret, id: hasty.keyId })),
  ],
  'GET /keys/transactions': [
    by('NOT_FOUND', () => ({ query: { api_key_id: '4711' } }), 'an unknown key'),
    by('NOT_FOUND', ({ linked }) => ({ query: { api_key_id: `${linked.keyId}` } }), 'a key of another account'),
  ],
  'POST /keys/deposit': [
    by('BAD_INPUT', () => ({ fields: { tx_hash: '0x12' } }), 'a hash that is none'),
    by('BAD_INPUT', () => ({ fields: { chain_id: 2 } }), 'an unknown chain'),
    by('FORBIDDEN', () => ({ fields: { chain_id: 560048 } })),
    by('NOT_IMPLEMENTED', () => ({})),
  ],
  'PUT /keys/settings': [by('BAD_INPUT', () => ({ fields: { monthly_limit: -1 } }), 'a limit below 0')],
  'PUT /keys/settings/alerts': [
    by('BAD_INPUT', () => ({ fields: { auto_reload_amount: 0 } }), 'an amount of 0'),
    by('BAD_INPUT', () => ({ fields: { alert_threshold: -1 } }), 'a threshold below 0'),
    by('CARD_CONSENT_REQUIRED', () => ({ fields: { auto_reload_enabled: true, save_card_consent: false } })),
  ],
  'PUT /keys/settings/webhooks': [
    by('BAD_INPUT', () => ({ fields: { webhook_url: 'http://example.com/' } }), 'a URL without TLS'),
  ],
  'POST /keys/settings/webhooks/test': [
    by('NO_WEBHOOK', () => ({})),
    by('NOT_IMPLEMENTED', ({ linked }) => ({ credential: linked.secret })),
  ],
};
