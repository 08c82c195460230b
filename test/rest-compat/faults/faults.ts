import { randomBytes } from 'node:crypto';

import type { RestCode } from '../../../rest-compat/errors.ts';
import type { SourceFacts } from '../../../rest-compat/sources.ts';
import { MAX_BODY_BYTES } from '../../../rest-compat/request.ts';
import type { Row } from '../../../rest-compat/table.ts';
import { PASSWORD } from '../world.ts';
import type { Cast, Part } from './cast.ts';

/** A request, as it differs from one that a row answers. */
export interface Parts {
  /** Bearer; null: none. Default: the secret of `plain`. */
  readonly credential?: string | null;
  /** For `:id`. Default: the key of `plain`. */
  readonly id?: bigint;
  readonly query?: Readonly<Record<string, string>>;
  /** Fields of the body in place of those of the documented example; undefined leaves one out. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Sent in place of the fields. */
  readonly text?: string;
  readonly type?: string;
}

/** A request that fails, and how. */
export interface Fault {
  readonly code: RestCode;
  readonly title: string;
  /** Where GraphQL answers otherwise: another code, or `OK`. */
  readonly graphql?: RestCode | 'OK';
  /** Called once for REST and once for GraphQL: what serves once is made anew. */
  readonly make: (cast: Cast) => Parts | Promise<Parts>;
}

const by = (code: RestCode, make: Fault['make'], title: string = code): Fault => ({ code, title, make });

/** Of any row that wants a credential. */
export const BEARER_FAULTS: readonly Fault[] = [
  by('UNAUTHENTICATED', () => ({ credential: null }), 'no credential'),
  by('UNAUTHENTICATED', () => ({ credential: `lpf_${randomBytes(16).toString('hex')}` }), 'an unknown key'),
  by('UNAUTHENTICATED', () => ({ credential: 'eyJhbGciOiJIUzI1NiJ9.e30.x' }), 'a token that is none'),
  by('UNAUTHENTICATED', async (cast) => ({ credential: await forgiven(cast, cast.revoked) }), 'a revoked key'),
  by('INSUFFICIENT_SCOPE', ({ proxyOnly }) => ({ credential: proxyOnly.secret })),
  by('ADDRESS_NOT_ALLOWED', ({ elsewhere }) => ({ credential: elsewhere.secret })),
  by('ACCOUNT_SUSPENDED', ({ suspended }) => ({ credential: suspended.secret })),
  by('THROTTLED', () => ({ credential: THROTTLED_KEY }), 'a key tried too often'),
];

/** A secret whose failures so far are forgotten. */
async function forgiven({ world }: Cast, { secret }: Part): Promise<string> {
  await world.services.throttle.succeeded('127.0.0.1', secret.slice(0, 8));
  return secret;
}

/** Refused often before the faults are played. */
export const THROTTLED_KEY = `lpf_${'dead'.repeat(8)}`;

/** Of any row with a body. */
export const BODY_FAULTS: readonly Fault[] = [
  by('BAD_REQUEST', () => ({ text: '{"name":' }), 'no JSON'),
  by('PAYLOAD_TOO_LARGE', () => ({ text: `"${'x'.repeat(MAX_BODY_BYTES)}"` })),
  by('UNSUPPORTED_MEDIA_TYPE', () => ({ text: 'name=x', type: 'application/x-www-form-urlencoded' })),
];

/** A value of the wrong kind, as it stands in a body and in a query. */
const UNFIT: Readonly<Record<SourceFacts['expects'], readonly [json: unknown, text: string | undefined]>> = {
  text: [5, undefined],
  boolean: ['true', 'yes'],
  flag: [true, '2'],
  flags: [{ unknown: true }, undefined],
  integer: ['1', 'one'],
  credits: ['many', 'many'],
  decimal: ['many', 'many'],
  id: ['x', 'x'],
  date: [5, 'today'],
  choice: ['nothing', 'nothing'],
};

/** GraphQL has one kind of id, of which a bad one is of nothing; and may leave a webhook's URL as it is. */
const ELSEWHERE: Readonly<Record<string, RestCode | 'OK'>> = { api_key_id: 'NOT_FOUND', webhook_url: 'OK' };

/** Of any row, once per field and parameter: left out, and of the wrong kind. */
export function fieldFaults(sources: readonly SourceFacts[]): readonly Fault[] {
  return sources.flatMap(({ place, name, required, expects }) => {
    if (place !== 'body' && place !== 'query') return [];
    const part = place === 'body' ? 'fields' : 'query';
    const [json, text] = UNFIT[expects];
    const value = place === 'body' ? json : text;
    const missing = by('BAD_INPUT', () => ({ [part]: { [name]: undefined } }), `${name} is missing`);
    const unfit = by('BAD_INPUT', () => ({ [part]: { [name]: value } }), `${name} is of another kind`);
    const graphql = ELSEWHERE[name];
    if (graphql !== undefined) return [{ ...(required ? missing : unfit), graphql }];
    return [...(required ? [missing] : []), ...(value === undefined ? [] : [unfit])];
  });
}

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
  'PUT /keys/:id/regenerate': [...ids, revokedId],
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

/** Every fault of a row. */
export function faultsOf(row: Row, sources: readonly SourceFacts[]): readonly Fault[] {
  return [
    ...(row.access === 'bearer' ? BEARER_FAULTS : []),
    ...(sources.some(({ place }) => place === 'body') ? BODY_FAULTS : []),
    ...fieldFaults(sources),
    ...(ROW_FAULTS[`${row.method} ${row.path}`] ?? []),
  ];
}
