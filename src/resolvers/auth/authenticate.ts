import type { Services, Viewer } from '../../context.ts';
import { lookupHash, sha256 } from '../../crypto.ts';
import { AppError, type RefusalCode } from '../../errors.ts';
import { apiDenial, proxyDenial, REFUSED_FOR, type Denial, type KeyRules } from '../../keyRules.ts';
import type { AuthenticatedKey } from '../../metering/session.ts';
import type { Product } from '../../units.ts';
import type { KeyActivity } from '../apiKeys/keyActivity.ts';
import { createCredentialCache, type CachedOwner } from './credentialCache.ts';
import { findKey, findSession, type FoundKey, type FoundSession } from './findCredential.ts';
import { verifyToken } from './tokens.ts';

/**
 * Answer to a username offered to the proxy. `denial`: the key is good, its connections are refused all the same.
 * `keyId` when a refusal can be shown on a key.
 */
export type ProxyAuthentication = { readonly key: AuthenticatedKey; readonly denial?: Denial } | Refused;

interface Refused {
  readonly refusal: RefusalCode;
  /** More precise than the catalogue's. */
  readonly message?: string;
  readonly keyId?: bigint;
  /** With `THROTTLED`. */
  readonly retryAfterSeconds?: number;
}

export interface Authenticator {
  /**
   * Who presents an API key or session token as bearer.
   * @throws AppError UNAUTHENTICATED; THROTTLED after too many failures with keys of that prefix; ACCOUNT_SUSPENDED;
   *   ADDRESS_NOT_ALLOWED or INSUFFICIENT_SCOPE for a key whose rules keep it from the API
   */
  bearer(token: string, clientAddress: string): Promise<Viewer>;
  /**
   * Whose traffic it is: the username of the proxy is an API key, the password is not looked at.
   * At once while the key is cached, and then with the same `key` each time.
   */
  proxyKey(
    username: string,
    clientAddress: string,
    product: Product,
  ): ProxyAuthentication | Promise<ProxyAuthentication>;
  close(): void;
}

interface Cached extends CachedOwner {
  readonly viewer: Viewer;
  /** What the proxy is told of a key that nothing restricts. */
  readonly proxy: ProxyAuthentication;
  /** What the key is restricted to; undefined: nothing. */
  readonly rules: KeyRules | undefined;
  readonly suspended: boolean;
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
    const check = (): Promise<Cached | Refused> => checkKey(services, secret, lookup, clientAddress);
    const found = cache.get(lookup.toString('hex'), async () => {
      const outcome = await check();
      if (!('refusal' in outcome)) return outcome;
      failure = outcome;
      return undefined;
    });
    if (!(found instanceof Promise)) return used(found);
    return found.then(async (cached) => (cached === undefined ? (failure ?? check()) : used(cached)));
  };

  const presentToken = async (token: string): Promise<Cached> => {
    const cached = await cache.get(sha256(token).toString('hex'), async () => {
      const claims = await verifyToken(services.keys, token, services.now());
      if (claims === undefined) return undefined;
      const found = await findSession(services.db, claims.sessionId, claims.userId);
      return found === undefined ? undefined : cachedOf(found, claims.expiresAtMs);
    });
    if (cached === undefined || cached.expiresAtMs <= services.now().getTime()) throw new AppError('UNAUTHENTICATED');
    return cached;
  };

  return {
    async bearer(token, clientAddress) {
      const found = token.startsWith('lpf_') ? await presentKey(token, clientAddress) : await presentToken(token);
      if (!('refusal' in found)) return admitted(found, clientAddress);
      if (found.refusal !== 'THROTTLED') throw new AppError('UNAUTHENTICATED');
      const { retryAfterSeconds } = found;
      throw new AppError('THROTTLED', retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    },
    proxyKey(username, clientAddress, product) {
      const outcome = presentKey(username, clientAddress);
      return outcome instanceof Promise
        ? outcome.then((late) => proxyAnswer(late, clientAddress, product))
        : proxyAnswer(outcome, clientAddress, product);
    },
    close: () => cache.close(),
  };
}

function cachedOf(
  { viewer, suspended }: FoundSession,
  expiresAtMs: number,
  { rules, showTargets }: Partial<Pick<FoundKey, 'rules' | 'showTargets'>> = {},
): Cached {
  const { userId: accountId, keyId, sessionId } = viewer;
  const proxy =
    keyId === null
      ? ({ refusal: 'KEY_UNKNOWN' } as const)
      : proxyOf({ ...viewer, keyId }, suspended, showTargets === true);
  return { accountId, keyId, sessionId, viewer, proxy, rules, suspended, expiresAtMs };
}

function proxyOf(
  { userId: accountId, keyId, lookup, rulesNo }: Viewer & { readonly keyId: bigint },
  suspended: boolean,
  showTargets: boolean,
): ProxyAuthentication {
  const key = {
    keyId,
    accountId,
    ...(lookup === undefined ? {} : { lookup }),
    ...(rulesNo === undefined ? {} : { rulesNo }),
    ...(showTargets && { showTargets }),
  };
  return suspended ? { key, denial: REFUSED_FOR.SUSPENDED } : { key };
}

/** @throws AppError when the API may not be called with this credential, or not from there */
function admitted({ viewer, suspended, rules }: Cached, clientAddress: string): Viewer {
  const denied = rules === undefined ? undefined : apiDenial(rules, clientAddress);
  if (denied !== undefined) throw new AppError(denied);
  if (suspended) throw new AppError('ACCOUNT_SUSPENDED');
  return viewer;
}

function proxyAnswer(outcome: Cached | Refused, clientAddress: string, product: Product): ProxyAuthentication {
  if ('refusal' in outcome) return outcome;
  const { proxy, rules } = outcome;
  if (rules === undefined || !('key' in proxy)) return proxy;
  const denial = proxyDenial(rules, product, clientAddress);
  return denial === undefined ? proxy : { key: proxy.key, denial };
}

/** What is no key at all counts together: a client could otherwise have counters made without end, one for each name. */
function subjectOf(secret: string): string {
  return KEY.test(secret) ? secret.slice(0, PREFIX_LENGTH) : '';
}

/** Asks the database, unless this client has failed too often with keys of that prefix. */
async function checkKey(
  { db, throttle }: Needs,
  secret: string,
  lookup: Buffer,
  clientAddress: string,
): Promise<Cached | Refused> {
  const subject = subjectOf(secret);
  const retryAfterSeconds = await throttle.blockedFor(clientAddress, subject);
  if (retryAfterSeconds !== undefined) return { refusal: 'THROTTLED', retryAfterSeconds };
  const found = KEY.test(secret) ? await findKey(db, lookup) : undefined;
  if (found?.ended === null) {
    await throttle.succeeded(clientAddress, subject);
    return cachedOf(found, found.expiresAtMs, found);
  }
  await throttle.failed(clientAddress, subject);
  if (found === undefined) return { refusal: 'KEY_UNKNOWN' };
  const { code, ...more } = REFUSED_FOR[found.ended];
  return { refusal: code, ...more, keyId: found.viewer.keyId };
}
