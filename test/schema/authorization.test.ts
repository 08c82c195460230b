import { randomUUID } from 'node:crypto';

import { getNamedType, isInputObjectType, isObjectType, parse, subscribe, type GraphQLArgument } from 'graphql';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Viewer } from '../../src/context.ts';
import { createApiKey } from '../../src/resolvers/apiKeys/createApiKey.ts';
import { revokeApiKey } from '../../src/resolvers/apiKeys/revokeApiKey.ts';
import { updateApiKey } from '../../src/resolvers/apiKeys/updateApiKey.ts';
import { createSession } from '../../src/resolvers/auth/createSession.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { schema } from '../../src/schema/index.ts';
import { openAuthenticator, type TestAuthenticator } from '../harness/authenticator.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  run,
  viewerOf as viewerByKey,
  type TestAccount,
  type TestServices,
} from '../harness/context.ts';
import { TEST_INSTANCE, TestMember } from '../harness/openConnections.ts';
import { expectedOf, matrix, type Caller, type RestrictedCaller, type Row, type Target } from './matrix.ts';

let services: TestServices;
let authenticator: TestAuthenticator;
let auth: TestAuthenticator['auth'];
let accounts: Readonly<Record<'owner' | 'stranger' | 'admin', TestAccount>>;

beforeAll(async () => {
  services = await openTestServices();
  authenticator = openAuthenticator(services);
  auth = authenticator.auth;
  accounts = {
    owner: await makeAccount(services, { credits: 5n }),
    stranger: await makeAccount(services),
    admin: await makeAccount(services, { role: 'ADMIN' }),
  };
});
afterAll(async () => {
  await authenticator[Symbol.asyncDispose]();
  await services[Symbol.asyncDispose]();
});

/** Type.field of every operation, and of every other field that takes an id. */
function guarded(): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].map(
    (type) => type?.name,
  );
  return Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith('__')
      ? Object.values(type.getFields())
          .filter(({ args }) => roots.includes(type.name) || args.some(takesId))
          .map((field) => `${type.name}.${field.name}`)
      : [],
  );
}

function takesId({ type }: Pick<GraphQLArgument, 'type'>): boolean {
  const named = getNamedType(type);
  return named.name === 'ID' || (isInputObjectType(named) && Object.values(named.getFields()).some(takesId));
}

test('every operation and every id has its row', () => {
  expect(Object.keys(matrix).toSorted()).toEqual(guarded().toSorted());
});

let runs = 0;

/** A key of the owner, made for one case. */
async function freshTarget(): Promise<{ target: Target; secret: string; release: () => Promise<void> }> {
  const { ctx, user } = accounts.owner;
  const { apiKey, secret } = await createApiKey(ctx, { name: 'target' });
  const { token } = await createSession(ctx, user.id, 'GRAPHQL');
  const sessionId = String(decodeJwt(token)['sid']);
  const { no } = new TestMember(services.members, apiKey.id).view;
  const connectionId = encodeNodeId('OpenConnection', `${TEST_INSTANCE}:${no}`);
  const own = { keyId: apiKey.id, userId: user.id, sessionId, connectionId };
  const exit = services.exits.name('SHARED', 'direct');
  const target = { ...own, email: user.email ?? '', exit, run: (runs += 1) };
  return {
    target,
    secret,
    release: () =>
      revokeApiKey(ctx, apiKey.id).then(
        () => {},
        () => {},
      ),
  };
}

async function viewerOf(caller: Caller | RestrictedCaller, secret: string): Promise<Viewer | null> {
  const { owner, admin } = accounts;
  if (caller === 'anonymous') return null;
  if (caller === 'key') return auth.bearer(secret, '127.0.0.1');
  if (caller === 'reader') return keyViewer(owner, ['READ']);
  // Such a key is refused at the door already: this shows that no operation relies on that.
  if (caller === 'proxyOnly') return keyViewer(owner, ['PROXY']);
  if (caller === 'operatorReader') return keyViewer(admin, ['READ']);
  return accounts[caller].ctx.viewer;
}

function keyViewer({ user, apiKey }: TestAccount, scopes: Viewer['scopes']): Viewer {
  return { ...viewerByKey(user, apiKey), scopes };
}

/** OK, NULL, or the code of the error, with the whole answer. */
async function outcome(row: Row, viewer: Viewer | null, target: Target): Promise<{ outcome: string; answer: string }> {
  // A client of its own: what one may ask for is counted.
  const ctx = contextOf(services, viewer, `10.0.${target.run >> 8}.${target.run & 255}`);
  const variables = row.variables(target);
  if (row.document.startsWith('subscription')) {
    const document = parse(row.document);
    const result = await subscribe({ schema, document, variableValues: variables, contextValue: ctx });
    if (!('errors' in result)) {
      await (result as AsyncGenerator).return(undefined);
      return { outcome: 'OK', answer: '' };
    }
    return { outcome: codeOf(result.errors?.[0]), answer: JSON.stringify(result) };
  }
  const result = await run(ctx, row.document, variables);
  const answer = JSON.stringify(result);
  if (result.errors !== undefined) return { outcome: codeOf(result.errors[0]), answer };
  const [value] = Object.values(result.data ?? {}) as ({ __typename?: string; code?: string } | null)[];
  return { outcome: value === null ? 'NULL' : (value?.code ?? 'OK'), answer };
}

function codeOf(error: { originalError?: unknown; message: string } | undefined): string {
  const original = error?.originalError;
  return typeof original === 'object' && original !== null && 'code' in original
    ? String(original.code)
    : `unexpected: ${error?.message}`;
}

describe.each(Object.entries(matrix))('%s', (_name, row) => {
  test.each(Object.entries(expectedOf(row)) as [Caller | RestrictedCaller, string][])(
    'asked by %s: %s',
    async (caller, expected) => {
      const { target, secret, release } = await freshTarget();
      const viewer = await viewerOf(caller, secret);
      const { outcome: actual } = await outcome(row, viewer, target);
      await release();
      expect(actual).toBe(expected);
    },
  );
});

const takesIds = Object.entries(matrix).filter(([, row]) => row.expected.stranger === 'NOT_FOUND');

describe.each(takesIds)('%s', (_name, row) => {
  test('foreign, unknown and malformed ids are one answer', async () => {
    const { target, release } = await freshTarget();
    const ask = (asked: Target): Promise<{ answer: string }> => outcome(row, accounts.stranger.ctx.viewer, asked);
    const foreign = await ask(target);
    const connectionId = encodeNodeId('OpenConnection', `${TEST_INSTANCE}:999999999`);
    const unknown = { ...target, keyId: 999_999_999n, userId: 999_999_999n, sessionId: randomUUID(), connectionId };
    expect((await ask(unknown)).answer).toBe(foreign.answer);
    for (const malformed of ['', 'x', encodeNodeId('ApiKey', '01'), encodeNodeId('Nothing', 1)]) {
      expect((await ask({ ...target, malformed })).answer).toBe(foreign.answer);
    }
    await release();
  });
});

test('a key that may only use the proxy is refused before it asks anything', async () => {
  const { secret, target, release } = await freshTarget();
  await updateApiKey(accounts.owner.ctx, target.keyId, { scopes: ['PROXY'] });
  await expect(auth.bearer(secret, '127.0.0.5')).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE' });
  await release();
});

test('a revoked key gets nowhere, whatever it asks', async () => {
  const { secret, release } = await freshTarget();
  await auth.bearer(secret, '127.0.0.4');
  await release();
  await expect(auth.bearer(secret, '127.0.0.4')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});
