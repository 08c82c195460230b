/**
 * The error catalogue: one row per code, used by GraphQL, REST and the proxy alike.
 * `status` is the HTTP status of the REST layer (a dialect may document another);
 * `socks` the SOCKS5 reply (RFC 1928, section 6) or the failure status of RFC 1929, and `connect`
 * the HTTP status (RFC 9110, section 15) with which the proxy refuses the same over HTTP CONNECT.
 */
export const CATALOGUE = {
  UNAUTHENTICATED: { status: 401, message: 'A valid credential is required: an API key or a session token as bearer.' },
  INVALID_CREDENTIALS: { status: 401, message: 'The e-mail address or the password is wrong.' },
  INVALID_CHALLENGE: {
    status: 401,
    message: 'The message to sign is unknown, used or expired; ask for another one and sign that.',
  },
  INVALID_SIGNATURE: { status: 401, message: 'The signature is not one of this wallet under this message.' },
  INVALID_REFRESH_TOKEN: { status: 401, message: 'The refresh token is unknown, used or expired; sign in again.' },
  CREDENTIAL_REVOKED: { status: 401, message: 'The credential was revoked.' },
  FORBIDDEN: { status: 403, message: 'This credential is not allowed to do that.' },
  EMAIL_NOT_VERIFIED: { status: 403, message: 'Confirm the e-mail address first: follow the link in the mail.' },
  INSUFFICIENT_SCOPE: {
    status: 403,
    message: 'The API key lacks the scope for that; use a session, or a key with the scope.',
  },
  ADDRESS_NOT_ALLOWED: {
    status: 403,
    message: 'The API key may not be used from this address; its allow-list names others.',
  },
  NOT_FOUND: { status: 404, message: 'There is no such object.' },
  BAD_INPUT: { status: 400, message: 'The input is not valid.' },
  BAD_CURSOR: { status: 400, message: 'The cursor is malformed or ahead of the account; subscribe without `after`.' },
  INVALID_TOKEN: { status: 400, message: 'The link is not valid, was used or has expired; ask for another mail.' },
  WRONG_PASSWORD: { status: 400, message: 'The current password is wrong.' },
  NO_PASSWORD: { status: 400, message: 'The account has no password: it signs in with a wallet.' },
  NO_WALLET: { status: 400, message: 'The account has no wallet.' },
  NO_WEBHOOK: { status: 400, message: 'The account has no webhook; configure one first.' },
  CARD_CONSENT_REQUIRED: {
    status: 400,
    message: 'Automatic reload needs the consent to keep a card: set `saveCardConsent` too.',
  },
  KEY_LIMIT_REACHED: { status: 409, message: 'An account has at most 10 active API keys; revoke one first.' },
  KEY_IS_REVOKED: { status: 409, message: 'The API key is revoked; create another one.' },
  KEY_NOT_RECOVERABLE: { status: 409, message: 'The secret of this API key is not stored; regenerate the key.' },
  EMAIL_TAKEN: { status: 409, message: 'Another account has this e-mail address.' },
  USERNAME_TAKEN: { status: 409, message: 'Another account has this username.' },
  WALLET_TAKEN: { status: 409, message: 'Another account has this wallet; unlink it there first.' },
  WALLET_ALREADY_LINKED: { status: 409, message: 'The account has another wallet; unlink that one first.' },
  MERGE_LIMIT_REACHED: {
    status: 409,
    message: 'As one the accounts would be too large: at most 100 active API keys, and 20 merged accounts.',
  },
  LAST_CREDENTIAL: { status: 409, message: 'Without this wallet nobody could sign in: it stays.' },
  NAME_TAKEN: { status: 409, message: 'There is one of this name already.' },
  EXIT_IS_CONFIGURED: {
    status: 409,
    message: 'The exit is configured: take it out of EXITS_SHARED or EXITS_DEDICATED, or drain it.',
  },
  EXIT_LIMIT_REACHED: { status: 409, message: 'A product has at most 1000 exits; remove one first.' },
  IDEMPOTENCY_MISMATCH: { status: 409, message: 'The idempotency key was used with another account or amount.' },
  INSUFFICIENT_CREDIT: { status: 402, message: 'The balance does not cover this.' },
  THROTTLED: { status: 429, connect: 429, message: 'Too many attempts; wait before the next one.' },
  TOO_MANY_SUBSCRIPTIONS: { status: 429, message: 'The account has too many subscriptions open; close one first.' },
  NOT_IMPLEMENTED: { status: 501, message: 'This version of the service does not offer that yet.' },
  UNAVAILABLE: { status: 503, message: 'The service cannot do this now; try again shortly.' },
  INTERNAL: { status: 500, message: 'Something went wrong on our side.' },
  KEY_UNKNOWN: { socks: 'AUTH', connect: 407, message: 'No API key matches the username.' },
  KEY_REVOKED: { socks: 'AUTH', connect: 407, message: 'The API key is revoked, or this secret of it was replaced.' },
  KEY_EXPIRED: { socks: 'AUTH', connect: 407, message: 'The API key has expired.' },
  BAD_USERNAME: {
    socks: 'AUTH',
    connect: 407,
    message: 'The flags behind the API key are not right. Use KEY, or KEY-session-NAME-ttl-10m.',
  },
  NO_CREDENTIALS: {
    socks: 'NO_METHOD',
    connect: 407,
    message: 'The client sent no credentials. Use KEY:x@host, with any password.',
  },
  SERVICE_UNAVAILABLE: {
    socks: 0x01,
    connect: 503,
    message: 'The service cannot meter traffic now; try again shortly.',
  },
  EXIT_UNAVAILABLE: { socks: 0x01, connect: 503, message: 'No exit can take the connection now; try again shortly.' },
  ACCOUNT_SUSPENDED: {
    status: 403,
    socks: 0x02,
    connect: 403,
    message: 'The account is suspended; write to the operator.',
  },
  OUT_OF_CREDIT: { socks: 0x02, connect: 402, message: 'The account has no credit left; top it up.' },
  LIMIT_DAY: { socks: 0x02, connect: 403, message: 'The daily limit is used up.' },
  LIMIT_WEEK: { socks: 0x02, connect: 403, message: 'The weekly limit is used up.' },
  LIMIT_MONTH: { socks: 0x02, connect: 403, message: 'The monthly limit is used up.' },
  CONNECTION_LIMIT: { socks: 0x02, connect: 403, message: 'The API key has too many connections open.' },
  EGRESS_FORBIDDEN: {
    socks: 0x02,
    connect: 403,
    message: 'Private and internal addresses cannot be reached through the proxy.',
  },
  NOT_ALLOWED: {
    socks: 0x02,
    connect: 403,
    message: 'The API key may not use this product, or not from this address.',
  },
} as const satisfies Record<string, ErrorFacts>;

interface ErrorFacts {
  readonly message: string;
  readonly status?: number;
  readonly socks?: number | 'AUTH' | 'NO_METHOD';
  readonly connect?: number;
}

/** Any code of the catalogue. */
export type AnyCode = keyof typeof CATALOGUE;

/** Codes that API calls answer. */
export type ErrorCode = {
  [Code in AnyCode]: (typeof CATALOGUE)[Code] extends { status: number } ? Code : never;
}[AnyCode];

/** Codes that the proxy gives as the reason of a refused connection (`lastRefusal`). */
export type RefusalCode =
  { [Code in AnyCode]: (typeof CATALOGUE)[Code] extends { socks: unknown } ? Code : never }[AnyCode] | 'THROTTLED';

export const ERROR_CODES = Object.keys(CATALOGUE).filter(
  (code) => 'status' in CATALOGUE[code as AnyCode],
) as ErrorCode[];
export const REFUSAL_CODES = [
  ...Object.keys(CATALOGUE).filter((code) => 'socks' in CATALOGUE[code as AnyCode]),
  'THROTTLED',
] as RefusalCode[];

/** What an `AppError` may carry besides its code; all of it is public. */
export interface ErrorDetails {
  /** Replaces the catalogue's message with a more precise one. */
  readonly message?: string;
  /** The argument at fault. */
  readonly field?: string;
  /** Seconds after which the call may succeed (`Retry-After`). */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** An expected failure with a public code and message. `cause` is logged, never shown. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.message ?? CATALOGUE[code].message, { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  get status(): number {
    return CATALOGUE[this.code].status;
  }
}
