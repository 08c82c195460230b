import { afterAll, beforeAll, expect, test } from 'vitest';

import { balanceOf, CUSTOMER_PASSWORD, ledgerCheck, newCustomer, type Customer } from '../harness/customer.ts';
import { endlessStream } from '../harness/endless.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { startServer, type TestServer } from '../harness/server.ts';
import { openUsageStream } from '../harness/usageStream.ts';

const CUT_OFF_MS = 1_000;
const CREDIT = 10n ** 12n;

let origin: Origin;
let server: TestServer;

beforeAll(async () => {
  origin = await startOrigin();
  server = await startServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

const proxy = (key: string): string => `${key}:x@${server.ready.socksShared}`;

/** What a mutation of the operator answered. */
async function operate(name: 'suspendAccount' | 'resumeAccount', input: Record<string, string>): Promise<unknown> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const { data } = await server.graphql(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) {
       ... on ${type}Success { user { suspendedFor } } ... on Error { code } } }`,
    { input },
  );
  return data?.[name];
}

async function signIn({ token }: Customer, password: string): Promise<{ code?: string; token?: string } | undefined> {
  const { data } = await server.graphql<{ viewer: { user: { email: string } } }>(
    '{ viewer { user { email } } }',
    {},
    token,
  );
  const email = data?.viewer.user.email ?? emails.get(token);
  emails.set(token, email ?? '');
  const signed = await server.graphql<{ signIn: { code?: string; token?: string } }>(
    `mutation ($input: SignInInput!) { signIn(input: $input) { ... on SignInSuccess { token } ... on Error { code } } }`,
    { input: { email, password } },
    null,
  );
  return signed.data?.signIn;
}
const emails = new Map<string, string>();

test('suspension ends what runs within a second and lets nothing in; resuming gives all of it back', async () => {
  const customer = await newCustomer(server, CREDIT);
  const bystander = await newCustomer(server, CREDIT);
  expect(await signIn(customer, CUSTOMER_PASSWORD)).toHaveProperty('token');
  const stream = await endlessStream(server.ready.socksShared, customer.key, origin);
  const other = await endlessStream(server.ready.socksShared, bystander.key, origin);
  await Promise.all([stream.flowing, other.flowing]);
  const { http } = server.ready;
  await using byKey = await openUsageStream({ transport: 'websocket', http, token: customer.key });
  await using bySession = await openUsageStream({ transport: 'sse', http, token: customer.token });

  const started = Date.now();
  expect(await operate('suspendAccount', { userId: customer.userId, reason: 'unpaid' })).toEqual({
    user: { suspendedFor: 'unpaid' },
  });
  await Promise.all([stream.ended, ...[byKey, bySession].map((live) => live.until(() => live.ended() !== undefined))]);
  expect(Date.now() - started).toBeLessThan(CUT_OFF_MS);
  expect(JSON.stringify(byKey.ended())).toContain('ACCOUNT_SUSPENDED');
  expect(JSON.stringify(bySession.ended())).toContain('ACCOUNT_SUSPENDED');

  for (const credential of [customer.key, customer.token]) {
    const { status, errors } = await server.graphql('{ viewer { remaining } }', {}, credential);
    expect([status, errors?.[0]?.extensions?.code]).toEqual([403, 'ACCOUNT_SUSPENDED']);
    const rest = await server.rest('GET', '/usage', { credential });
    expect(rest.status).toBe(403);
    expect(rest.body).toEqual({ error: 'Compte suspendu : contactez le support.', code: 'ACCOUNT_SUSPENDED' });
  }
  expect(await signIn(customer, CUSTOMER_PASSWORD)).toEqual({ code: 'ACCOUNT_SUSPENDED' });
  expect(await signIn(customer, 'a wrong password')).toEqual({ code: 'INVALID_CREDENTIALS' });
  await expect(curl.download(proxy(customer.key), origin.url('/bytes/10'))).rejects.toThrow(
    /\(2\)|ruleset|not allowed/i,
  );
  await expect.poll(() => refusals(customer), { timeout: 2_000 }).toEqual([['ACCOUNT_SUSPENDED', '2']]);

  expect(await operate('resumeAccount', { userId: customer.userId })).toEqual({ user: { suspendedFor: null } });
  expect(await curl.download(proxy(customer.key), origin.url('/bytes/10'))).toBe(10);
  expect(await signIn(customer, CUSTOMER_PASSWORD)).toHaveProperty('token');
  // The session from before lives on, and so does the credit that was not spent.
  const spent = CREDIT - (await balanceOf(server, customer.token));
  expect(spent).toBeGreaterThanOrEqual(3n * BigInt(stream.sent));
  expect(spent).toBeLessThan(CREDIT);

  const received = other.received();
  await expect.poll(() => other.received(), { timeout: 5_000 }).toBeGreaterThan(received);
  other.socket.destroy();
  await other.ended;
  expect(await ledgerCheck(server)).toEqual({ drift: '0', violations: [] });
});

/** Reasons and counts, as the operator sees them. */
async function refusals({ userId }: Customer): Promise<[string, string][] | undefined> {
  const { data } = await server.graphql<{ refusals: { edges: { node: { code: string; count: string } }[] } }>(
    'query ($userId: ID!) { refusals(userId: $userId) { edges { node { code count } } } }',
    { userId },
  );
  return data?.refusals.edges.map(({ node }) => [node.code, node.count]);
}
