import { formatCredits, parseCredits } from '../../src/units.ts';
import type { TestServer } from './server.ts';

/** An account made for one test, with one API key and a session. */
export interface Customer {
  readonly userId: string;
  readonly token: string;
  readonly keyId: string;
  readonly key: string;
}

/** Of every customer. */
export const CUSTOMER_PASSWORD = 'a customer password';
let made = 0;

/** A new account with this credit (nano-credits) on a running server, made through its API. */
export async function newCustomer(server: TestServer, nanoCredits: bigint): Promise<Customer> {
  made += 1;
  const email = `customer-${process.pid}-${made}@example.com`;
  const { createAccount } = await must<{ createAccount: { user: { id: string } } }>(
    server,
    `mutation ($email: String!, $password: String!, $credits: Credits!) {
       createAccount(input: { email: $email, password: $password, credits: $credits }) {
         ... on CreateAccountSuccess { user { id } } ... on Error { code message } } }`,
    { email, password: CUSTOMER_PASSWORD, credits: formatCredits(nanoCredits) },
  );
  const { signIn } = await must<{ signIn: { token: string } }>(
    server,
    `mutation ($email: String!, $password: String!) { signIn(input: { email: $email, password: $password }) {
       ... on SignInSuccess { token } ... on Error { code message } } }`,
    { email, password: CUSTOMER_PASSWORD },
    null,
  );
  const { createApiKey } = await must<{ createApiKey: { secret: string; apiKey: { id: string } } }>(
    server,
    `mutation { createApiKey(input: { name: "test" }) {
       ... on CreateApiKeySuccess { secret apiKey { id } } ... on Error { code message } } }`,
    {},
    signIn.token,
  );
  return {
    userId: createAccount.user.id,
    token: signIn.token,
    keyId: createApiKey.apiKey.id,
    key: createApiKey.secret,
  };
}

/** Posts an adjustment, once per `idempotencyKey`. */
export async function adjustBalance(
  server: TestServer,
  userId: string,
  amount: string,
  idempotencyKey: string,
): Promise<void> {
  await must(
    server,
    `mutation ($userId: ID!, $amount: Credits!, $idempotencyKey: String!) {
       adjustBalance(input: { userId: $userId, amount: $amount, reason: "test", idempotencyKey: $idempotencyKey }) {
         ... on AdjustBalanceSuccess { transaction { amount } } ... on Error { code message } } }`,
    { userId, amount, idempotencyKey },
  );
}

/** The account's balance, in nano-credits. */
export async function balanceOf(server: TestServer, credential: string): Promise<bigint> {
  const { viewer } = await must<{ viewer: { user: { balance: string } } }>(
    server,
    '{ viewer { user { balance } } }',
    {},
    credential,
  );
  return nano(viewer.user.balance);
}

/** The ledger's own verdict: `{ drift: '0', violations: [] }` when all is well. */
export async function ledgerCheck(server: TestServer): Promise<{ drift: string; violations: string[] }> {
  const data = await must<{ ledgerCheck: { drift: string; violations: string[] } }>(
    server,
    '{ ledgerCheck { drift violations } }',
  );
  return data.ledgerCheck;
}

/** A decimal of credits, or a JSON number of them, in nano-credits. @throws when it is neither */
export function nano(credits: number | string | undefined): bigint {
  const amount = parseCredits(typeof credits === 'number' ? credits.toFixed(9) : (credits ?? ''));
  if (amount === undefined) throw new RangeError(`no amount of credits: ${credits}`);
  return amount;
}

/** Runs an operation that has to succeed. @throws with the answer when it does not */
async function must<Data>(
  server: TestServer,
  query: string,
  variables: Record<string, unknown> = {},
  credential?: string | null,
): Promise<Data> {
  const answer = await server.graphql<Data>(query, variables, ...(credential === undefined ? [] : [credential]));
  const results: ({ code?: string } | null)[] = Object.values(answer.data ?? {});
  if (answer.errors !== undefined || results.length === 0 || results.some((result) => result?.code !== undefined)) {
    throw new Error(`${query.trim().slice(0, 60)}…: ${JSON.stringify(answer)}`);
  }
  return answer.data as Data;
}
