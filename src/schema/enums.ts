import { CATALOGUE, ERROR_CODES, REFUSAL_CODES } from '../errors.ts';
import type { Plan } from '../resolvers/accounts/plans.ts';
import type { ProxyProtocol } from '../openConnection.ts';
import { builder } from './builder.ts';

export const ProductEnum = builder.enumType('Product', {
  description: 'What traffic is sold as.',
  values: {
    SHARED: { description: 'SOCKS5 over shared exits: 3 credits per GB (10^9 bytes).' },
    DEDICATED: { description: 'SOCKS5 over dedicated exits: 8 credits per GB.' },
    BROWSER: { description: 'Browser gateway: 10 credits per GB.' },
  } as const,
});

export const ProxyProtocolEnum = builder.enumType('ProxyProtocol', {
  description: 'How a client speaks to the proxy.',
  values: {
    SOCKS5: { description: 'CONNECT of SOCKS5.' },
    HTTP: { description: 'HTTP CONNECT.' },
    UDP: { description: 'UDP ASSOCIATE of SOCKS5.' },
  } as const satisfies Record<ProxyProtocol, object>,
});

export const WindowEnum = builder.enumType('Window', {
  description: 'UTC calendar window in which spending can be limited.',
  values: {
    DAY: { description: 'From 00:00 UTC.' },
    WEEK: { description: 'From Monday, 00:00 UTC.' },
    MONTH: { description: 'From the 1st, 00:00 UTC.' },
  } as const,
});

export const TransactionTypeEnum = builder.enumType('TransactionType', {
  description: 'Why the balance moved.',
  values: {
    DEPOSIT: { description: 'Credit was bought.' },
    CONSUMPTION: { description: 'Traffic of one key and product in one UTC hour.' },
    ADJUSTMENT: { description: 'Credit was given, corrected, reversed or moved by the operator.' },
  } as const,
});

export const TransactionStatusEnum = builder.enumType('TransactionStatus', {
  description: 'Whether a transaction counts in the balance.',
  values: {
    PENDING: { description: 'Not yet confirmed: does not count.' },
    CONFIRMED: { description: 'Counts.' },
    FAILED: { description: 'Will never count.' },
  } as const,
});

export const AuthTypeEnum = builder.enumType('AuthType', {
  description: 'How an account was made.',
  values: {
    EMAIL: { description: 'With e-mail address and password.' },
    WALLET: { description: 'With an Ethereum wallet, and no e-mail address.' },
  } as const,
});

export const RoleEnum = builder.enumType('Role', {
  description: 'What an account may do.',
  values: {
    USER: { description: 'Its own affairs.' },
    ADMIN: { description: 'Also the operation of the service.' },
  } as const,
});

export const PlanEnum = builder.enumType('Plan', {
  description: 'Subscription plan; gates the `fluenzr` and `wordly` dialects.',
  values: {
    FREE: { description: 'No subscription.' },
    STARTER: { description: 'Starter plan.' },
    PRO: { description: 'Pro plan: API access.' },
  } as const satisfies Record<Plan, object>,
});

export const SessionKindEnum = builder.enumType('SessionKind', {
  description: 'What kind of session a sign-in opens.',
  values: {
    GRAPHQL: { description: 'Access token of 15 minutes and refresh token of 30 days.' },
    LPF: { description: 'One token of 7 days (LPF_SESSION_TTL), no refresh token: what the `lpf` dialect documents.' },
  } as const,
});

export const KeyScopeEnum = builder.enumType('KeyScope', {
  description: 'What an API key may do.',
  values: {
    PROXY: { description: 'Send traffic through the proxy.' },
    READ: { description: 'Read its account.' },
    MANAGE: { description: 'Change its account, other keys included; READ is part of it.' },
  } as const,
});

export const LanguageEnum = builder.enumType('Language', {
  description: 'Language of display labels and mails.',
  values: { EN: { description: 'English.' }, FR: { description: 'French.' } } as const,
});

export const AdjustmentKindEnum = builder.enumType('UsageAdjustmentKind', {
  description: 'What changed other than by traffic.',
  values: {
    ENTRY: { description: 'A deposit, correction or reversal moved the balance.' },
    LIMIT: { description: 'A limit was changed, or a window was reset.' },
    MERGE: { description: 'Another account was merged in, or this one into another.' },
  } as const,
});

const described = (codes: readonly (keyof typeof CATALOGUE)[]): Record<string, { description: string }> =>
  Object.fromEntries(codes.map((code) => [code, { description: CATALOGUE[code].message }]));

export const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'Every expected failure of an API call; the REST dialects carry the same codes.',
  values: described(ERROR_CODES),
});

export const RefusalCodeEnum = builder.enumType('RefusalCode', {
  description: 'Why the proxy refused or ended a connection.',
  values: described(REFUSAL_CODES),
});
