import { randomBytes } from 'node:crypto';

import type { RestCode } from '../../../rest-compat/errors.ts';
import type { SourceFacts } from '../../../rest-compat/sources.ts';
import { MAX_BODY_BYTES } from '../../../rest-compat/request.ts';
import type { Row } from '../../../rest-compat/table.ts';
import type { Cast, Part } from './cast.ts';
import { by, type Fault } from './fault.ts';
import { ROW_FAULTS } from './rowFaults.ts';

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

/** A value of the wrong kind, as it stands in a body and in a query; of what is not named here: any text. */
const UNFIT: Readonly<Record<string, readonly [json: unknown, text: string | undefined]>> = {
  address: [5, '0x12'],
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
    const [json, text] = UNFIT[expects] ?? [5, undefined];
    const value = place === 'body' ? json : text;
    const missing = by('BAD_INPUT', () => ({ [part]: { [name]: undefined } }), `${name} is missing`);
    const unfit = by('BAD_INPUT', () => ({ [part]: { [name]: value } }), `${name} is of another kind`);
    const graphql = ELSEWHERE[name];
    if (graphql !== undefined) return [{ ...(required ? missing : unfit), graphql }];
    return [...(required ? [missing] : []), ...(value === undefined ? [] : [unfit])];
  });
}

/** Every fault of a row. */
export function faultsOf(row: Row, sources: readonly SourceFacts[]): readonly Fault[] {
  return [
    ...(row.access === 'bearer' ? BEARER_FAULTS : []),
    ...(sources.some(({ place }) => place === 'body') ? BODY_FAULTS : []),
    ...fieldFaults(sources),
    ...(ROW_FAULTS[`${row.method} ${row.path}`] ?? []),
  ];
}
