import type { ErrorCode } from '../../src/errors.ts';
import { encodeNodeId } from '../../src/schema/ids.ts';
import { PASSWORD } from '../harness/context.ts';
import vectors from '../resolvers/wallets/vectors.json' with { type: 'json' };

/** `owner` and `key`: who owns the target, by session and by key; `stranger`: another account; `admin`: a third. */
export type Caller = 'anonymous' | 'owner' | 'key' | 'stranger' | 'admin';
/** Keys of scopes READ and PROXY: `reader` and `proxyOnly` of who owns the target, `operatorReader` of an administrator. */
export type RestrictedCaller = 'reader' | 'proxyOnly' | 'operatorReader';
export type Outcome = 'OK' | 'NULL' | ErrorCode;

/** What an operation is pointed at. */
export interface Target {
  readonly keyId: bigint;
  readonly userId: bigint;
  readonly sessionId: string;
  readonly email: string;
  /** Name of an exit that is configured. */
  readonly exit: string;
  /** Different for every case. */
  readonly run: number;
  /** Global id. */
  readonly connectionId: string;
  /** Given in place of every id. */
  readonly malformed?: string;
}

export interface Row {
  readonly document: string;
  readonly variables: (target: Target) => Record<string, unknown>;
  readonly expected: Readonly<Record<Caller, Outcome>>;
}

/** What follows for keys that may not do all: they change nothing, and act for nobody but their own account. */
export function expectedOf({ document, expected }: Row): Readonly<Record<Caller | RestrictedCaller, Outcome>> {
  const needsViewer = expected.anonymous === 'UNAUTHENTICATED' || expected.anonymous === 'NULL';
  const changes = needsViewer && document.startsWith('mutation');
  const readerOf = (whole: Outcome): Outcome => {
    if (!needsViewer) return expected.anonymous;
    return changes || expected.owner === 'FORBIDDEN' ? 'INSUFFICIENT_SCOPE' : whole;
  };
  return {
    ...expected,
    reader: readerOf(expected.key),
    proxyOnly: needsViewer ? 'INSUFFICIENT_SCOPE' : expected.anonymous,
    operatorReader: readerOf(expected.stranger),
  };
}

const key = ({ malformed, keyId }: Target): string => malformed ?? encodeNodeId('ApiKey', keyId);
const session = ({ malformed, sessionId }: Target): string => malformed ?? encodeNodeId('Session', sessionId);
const exit = ({ malformed, exit: name }: Target): string => malformed ?? encodeNodeId('Exit', name);
const user = ({ malformed, userId }: Target): string => malformed ?? encodeNodeId('User', userId);

const SIGNED_IN = { anonymous: 'UNAUTHENTICATED', owner: 'OK', key: 'OK', stranger: 'OK', admin: 'OK' } as const;
const OWNER = { ...SIGNED_IN, stranger: 'NOT_FOUND', admin: 'NOT_FOUND' } as const;
/** Whoever is signed in is told the same. */
const allOf = (code: ErrorCode): Row['expected'] => ({
  ...SIGNED_IN,
  owner: code,
  key: code,
  stranger: code,
  admin: code,
});
const ADMIN = {
  anonymous: 'UNAUTHENTICATED',
  owner: 'FORBIDDEN',
  key: 'FORBIDDEN',
  stranger: 'FORBIDDEN',
  admin: 'OK',
} as const;
/** Asks for no credential. */
const ANYBODY = { ...SIGNED_IN, anonymous: 'OK' } as const;
const everybody = (outcome: Outcome): Row['expected'] => ({
  ...{ anonymous: outcome, owner: outcome, key: outcome, stranger: outcome, admin: outcome },
});
/** Below `viewer`, which is null for nobody. */
const OWN_KEY = { ...OWNER, anonymous: 'NULL' } as const;

function query(document: string, variables: Row['variables'], expected: Row['expected']): Row {
  return { document, variables, expected };
}

function mutation(name: string, input: (target: Target) => Record<string, unknown>, expected: Row['expected']): Row {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on Error { code message } } }`;
  return { document, variables: (target) => ({ input: input(target) }), expected };
}

const underViewer = (field: string): string => `query ($id: ID!) { viewer { user { ${field} } } }`;
const asked = ({ run }: Target) => ({ email: `asked-${run}@example.com` });
const connection = ({ malformed, connectionId }: Target): string => malformed ?? connectionId;
const byKey = (target: Target) => ({ id: key(target) });
const byUser = (target: Target) => ({ id: user(target) });

/** A wallet that nobody has, and what it signed somewhere else. */
const { address } = vectors;
const signed = { address, message: vectors.wellFormed[0]?.message, signature: '0x' };

/** Who may do what. A new operation, or a new field that takes an id, needs a row. */
export const matrix: Readonly<Record<string, Row>> = {
  'Query.viewer': query('{ viewer { user { id balance } remaining } }', () => ({}), {
    ...SIGNED_IN,
    anonymous: 'NULL',
  }),
  'Query.node': query('query ($id: ID!) { node(id: $id) { id } }', byKey, OWNER),
  'Query.apiKey': query('query ($id: ID!) { apiKey(id: $id) { id name } }', byKey, OWNER),
  'Query.ledgerCheck': query('{ ledgerCheck { drift violations } }', () => ({}), ADMIN),
  'User.transactions': query(underViewer('transactions(apiKeyId: $id) { totalCount }'), byKey, OWN_KEY),
  'User.transactionPage': query(underViewer('transactionPage(apiKeyId: $id) { total }'), byKey, OWN_KEY),
  'User.usageByDay': query(underViewer('usageByDay(apiKeyId: $id) { credits }'), byKey, OWN_KEY),
  'User.usageByHour': query(underViewer('usageByHour(apiKeyId: $id) { credits }'), byKey, OWN_KEY),
  'Mutation.signIn': mutation('signIn', ({ email }) => ({ email, password: PASSWORD }), ANYBODY),
  'Mutation.signUp': mutation(
    'signUp',
    ({ run }) => ({ username: `person ${run}`, email: `fresh-${run}@example.com`, password: PASSWORD }),
    ANYBODY,
  ),
  'Mutation.resendVerification': mutation('resendVerification', asked, ANYBODY),
  'Mutation.requestPasswordReset': mutation('requestPasswordReset', asked, ANYBODY),
  'Mutation.verifyEmail': mutation('verifyEmail', () => ({ token: 'x' }), everybody('INVALID_TOKEN')),
  'Mutation.resetPassword': mutation(
    'resetPassword',
    () => ({ token: 'x', password: PASSWORD }),
    everybody('INVALID_TOKEN'),
  ),
  'Mutation.changePassword': mutation(
    'changePassword',
    () => ({ currentPassword: PASSWORD, newPassword: PASSWORD }),
    SIGNED_IN,
  ),
  'Mutation.createAccount': mutation(
    'createAccount',
    ({ run }) => ({ email: `new-${run}@example.com`, password: PASSWORD }),
    ADMIN,
  ),
  'Mutation.createApiKey': mutation('createApiKey', () => ({ name: 'new' }), SIGNED_IN),
  'Mutation.updateApiKey': mutation('updateApiKey', (target) => ({ id: key(target), dailyLimit: '1' }), OWNER),
  'Mutation.revealApiKey': mutation('revealApiKey', (target) => ({ id: key(target) }), OWNER),
  'Mutation.regenerateApiKey': mutation('regenerateApiKey', (target) => ({ id: key(target) }), OWNER),
  'Mutation.rotateApiKey': mutation('rotateApiKey', (target) => ({ id: key(target) }), OWNER),
  'Mutation.revokeApiKey': mutation('revokeApiKey', (target) => ({ id: key(target) }), OWNER),
  'Mutation.refreshSession': mutation(
    'refreshSession',
    () => ({ refreshToken: 'x' }),
    everybody('INVALID_REFRESH_TOKEN'),
  ),
  'Mutation.revokeSession': mutation('revokeSession', (target) => ({ id: session(target) }), OWNER),
  'Mutation.createWalletChallenge': mutation('createWalletChallenge', () => ({ address }), ANYBODY),
  'Mutation.signInWithWallet': mutation('signInWithWallet', () => signed, everybody('INVALID_CHALLENGE')),
  'Mutation.linkWallet': mutation('linkWallet', () => signed, {
    ...everybody('INVALID_CHALLENGE'),
    anonymous: 'UNAUTHENTICATED',
  }),
  'Mutation.unlinkWallet': mutation('unlinkWallet', () => ({}), {
    ...everybody('NO_WALLET'),
    anonymous: 'UNAUTHENTICATED',
  }),
  'Mutation.updateLimits': mutation('updateLimits', () => ({ dailyLimit: '1000' }), SIGNED_IN),
  'Mutation.adjustBalance': mutation(
    'adjustBalance',
    (target) => ({ userId: user(target), amount: '1', reason: 'test', idempotencyKey: `matrix ${target.run}` }),
    ADMIN,
  ),
  'Mutation.resetUsage': mutation('resetUsage', (target) => ({ apiKeyId: key(target), window: 'DAY' }), ADMIN),
  'Query.priceGrids': query('{ priceGrids { name tiers { rate } } }', () => ({}), ADMIN),
  'Mutation.savePriceGrid': mutation(
    'savePriceGrid',
    ({ malformed, run }) => ({ ...(malformed !== undefined && { id: malformed }), name: `Grid ${run}`, tiers: [] }),
    ADMIN,
  ),
  'Mutation.assignGrid': mutation('assignGrid', (target) => ({ userId: user(target), gridId: null }), ADMIN),
  'Mutation.updateAlerts': mutation('updateAlerts', () => ({ alertThreshold: '20' }), SIGNED_IN),
  'Mutation.updateProfile': mutation('updateProfile', () => ({ language: 'FR' }), SIGNED_IN),
  'Mutation.configureWebhook': mutation('configureWebhook', () => ({ url: null, events: {} }), SIGNED_IN),
  'Mutation.rotateWebhookSecret': mutation('rotateWebhookSecret', () => ({}), SIGNED_IN),
  'Mutation.testWebhook': mutation('testWebhook', () => ({}), allOf('NO_WEBHOOK')),
  'Mutation.submitDeposit': mutation(
    'submitDeposit',
    () => ({ txHash: `0x${'0'.repeat(64)}` }),
    allOf('NOT_IMPLEMENTED'),
  ),
  'Query.exits': query('{ exits { label users { id } } }', () => ({}), ADMIN),
  'Mutation.addExit': mutation(
    'addExit',
    (target) => ({ product: 'SHARED', url: `http://exit-${target.run}:1`, userIds: [user(target)] }),
    ADMIN,
  ),
  'Mutation.drainExit': mutation('drainExit', (target) => ({ id: exit(target), drained: true }), ADMIN),
  'Mutation.assignExit': mutation('assignExit', (target) => ({ id: exit(target), userIds: [user(target)] }), ADMIN),
  'Mutation.removeExit': mutation('removeExit', (target) => ({ id: exit(target) }), {
    ...ADMIN,
    admin: 'EXIT_IS_CONFIGURED',
  }),
  'Query.users': query('{ users(search: "example") { totalCount edges { node { email } } } }', () => ({}), ADMIN),
  'Query.refusals': query('query ($id: ID) { refusals(userId: $id) { edges { node { count } } } }', byUser, ADMIN),
  'Query.auditLog': query('query ($id: ID) { auditLog(userId: $id) { edges { node { action } } } }', byUser, ADMIN),
  // And at once no more: the cases that follow need the account.
  'Mutation.suspendAccount': query(
    `mutation ($id: ID!) {
      suspendAccount(input: { userId: $id, reason: "test" }) { __typename ... on Error { code message } }
      resumeAccount(input: { userId: $id }) { __typename ... on Error { code message } } }`,
    byUser,
    ADMIN,
  ),
  'Mutation.resumeAccount': mutation('resumeAccount', (target) => ({ userId: user(target) }), ADMIN),
  'Mutation.updateUser': mutation('updateUser', (target) => ({ userId: user(target), plan: 'PRO' }), ADMIN),
  'Subscription.refusals': query('subscription ($id: ID!) { refusals(apiKeyId: $id) { at } }', byKey, OWNER),
  'User.openConnections': query(
    `query ($id: ID!) { viewer { user { openConnections(apiKeyId: $id) { totalCount edges { node { apiKey { name } } } } } } }`,
    byKey,
    OWN_KEY,
  ),
  'Mutation.closeConnection': mutation('closeConnection', (target) => ({ id: connection(target) }), OWNER),
  'Subscription.connections': query('subscription ($id: ID!) { connections(apiKeyId: $id) { total } }', byKey, OWNER),
  'Subscription.usage': query('subscription ($id: ID!) { usage(apiKeyId: $id) { seq } }', byKey, OWNER),
};
