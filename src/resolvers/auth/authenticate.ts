import type { Services, Viewer } from '../../context.ts';
import { lookupHash, sha256 } from '../../crypto.ts';
import { AppError, type RefusalCode } from '../../errors.ts';
import type { AuthenticatedKey } from '../../metering/session.ts';
import type { KeyActivity } from '../apiKeys/keyActivity.ts';
import { createCredentialCache, type CachedOwner } from './credentialCache.ts';
import { findKey, findSession } from './findCredential.ts';
import { verifyToken } from './tokens.ts';

/** Answer to a username offered to the proxy. `keyId` when the refusal can be shown on a key. */
export type ProxyAuthentication = { readonly key: AuthenticatedKey } | Refused;

export interface Authenticator {
  /**
   * Who presents an API key or session token as bearer.
   * @throws AppError UNAUTHENTICATED; THROTTLED after too many failures with keys of that prefix
   */
  bearer(token: string, clientAddress: string): Promise<Viewer>;
  /**
   * Whose traffic it is: the username of the proxy is an API key, the password is not looked at.
   * At once, and each time the same object, while the key is cached.
   */
  proxyKey(username: string, clientAddress: string): ProxyAuthentication | Promise<ProxyAuthentication>;
  close(): void;
}

interface Cached extends CachedOwner {
  readonly viewer: Viewer;
  /** What the proxy is told. */
  readonly proxy: ProxyAuthentication;
  /** Milliseconds since 1970 after which a session token is not accepted; Infinity for keys. */
  readonly expiresAtMs: number;
}

const KEY = /^lpf_[0-9a-f]{32}$/;
/** Failures with keys are counted per client address and this much of the key. */
const PREFIX_LENGTH = 8;

export interface AuthenticatorOptions {
  /**
   * Milliseconds for which a credential that was found good is believed without asking. Changes are
   * heard at once where events reach: 30 s embedded or while Redis answers, 1 s otherwise.
   */
  readonly cacheMs: () => number;
  readonly activity: KeyActivity;
}

type Needs = Pick<Services, 'db' | 'events' | 'keys' | 'throttle' | 'now'>;
interface Refused {
  readonly refusal: RefusalCode;
  readonly keyId?: bigint;
  /** With `THROTTLED`. */
  readonly retryAfterSeconds?: number;
}
type KeyOutcome = { readonly viewer: Viewer } | Refused;

export function createAuthenticator(services: Needs, { cacheMs, activity }: AuthenticatorOptions): Authenticator {
  const cache = createCredentialCache<Cached>(services.events, cacheMs);

  const used = (cached: Cached): Cached => {
    if (cached.keyId !== null) activity.used(cached.keyId);
    return cached;
  };

  /** At once while the key is cached: a proxy's clients present theirs with every connection. */
  const presentKey = (secret: string, clientAddress: string): Cached | Promise<Cached | Refused> => {
    const lookup = lookupHash(services.keys, secret);
    let failure: Refused | undefined;
    const check = async (): Promise<Cached | Refused> => {
      const outcome = await checkKey(services, secret, lookup, clientAddress);
      return 'viewer' in outcome ? cachedOf(outcome.viewer, Infinity) : outcome;
    };
    const found = cache.get(lookup.toString('hex'), async () => {
      const outcome = await check();
      if ('viewer' in outcome) return outcome;
      failure = outcome;
      return undefined;
    });
    if (!(found instanceof Promise)) return used(found);
    return found.then(async (cached) => (cached === undefined ? (failure ?? check()) : used(cached)));
  };

  const presentToken = async (token: string): Promise<Viewer> => {
    const cached = await cache.get(sha256(token).toString('hex'), async () => {
      const claims = await verifyToken(services.keys, token, services.now());
      if (claims === undefined) return undefined;
      const viewer = await findSession(services.db, claims.sessionId, claims.userId);
      return viewer === undefined ? undefined : cachedOf(viewer, claims.expiresAtMs);
    });
    if (cached === undefined || cached.expiresAtMs <= services.now().getTime()) throw new AppError('UNAUTHENTICATED');
    return cached.viewer;
  };

  return {
    async bearer(token, clientAddress) {
      if (!token.startsWith('lpf_')) return presentToken(token);
      const outcome = await presentKey(token, clientAddress);
      if ('viewer' in outcome) return outcome.viewer;
      if (outcome.refusal !== 'THROTTLED') throw new AppError('UNAUTHENTICATED');
      const { retryAfterSeconds } = outcome;
      throw new AppError('THROTTLED', retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    },
    proxyKey(username, clientAddress) {
      const outcome = presentKey(username, clientAddress);
      return outcome instanceof Promise ? outcome.then(proxyAnswer) : outcome.proxy;
    },
    close: () => cache.close(),
  };
}

function cachedOf(viewer: Viewer, expiresAtMs: number): Cached {
  const { userId: accountId, keyId, sessionId, lookup } = viewer;
  const proxy: ProxyAuthentication =
    keyId === null
      ? { refusal: 'KEY_UNKNOWN' }
      : { key: { keyId, accountId, ...(lookup === undefined ? {} : { lookup }) } };
  return { accountId, keyId, sessionId, viewer, proxy, expiresAtMs };
}

function proxyAnswer(outcome: Cached | Refused): ProxyAuthentication {
  return 'refusal' in outcome ? outcome : outcome.proxy;
}

function subjectOf(secret: string): string {
  return secret.slice(0, PREFIX_LENGTH);
}

/** Asks the database, unless this client has failed too often with keys of that prefix. */
async function checkKey(
  { db, throttle }: Needs,
  secret: string,
  lookup: Buffer,
  clientAddress: string,
): Promise<KeyOutcome> {
  const subject = subjectOf(secret);
  const retryAfterSeconds = await throttle.blockedFor(clientAddress, subject);
  if (retryAfterSeconds !== undefined) return { refusal: 'THROTTLED', retryAfterSeconds };
  const found = KEY.test(secret) ? await findKey(db, lookup) : undefined;
  if (found !== undefined && !found.revoked) {
    await throttle.succeeded(clientAddress, subject);
    return { viewer: found.viewer };
  }
  await throttle.failed(clientAddress, subject);
  return found === undefined ? { refusal: 'KEY_UNKNOWN' } : { refusal: 'KEY_REVOKED', keyId: found.viewer.keyId };
}
