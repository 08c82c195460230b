import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';

import { sha256 } from './crypto.ts';

const WINDOW_SECONDS = 15 * 60;
/** Secrets that one account may have revealed within 15 minutes: no client needs them one after the other. */
export const MAX_REVEALS = 30;
/** Mails that one client may ask for to one e-mail address within 15 minutes. */
export const MAX_MAILS_ASKED = 5;
/** Messages for wallets that one client may ask for within 15 minutes: below what one wallet may have outstanding. */
export const MAX_CHALLENGES_ASKED = 60;

/** Counts what must not happen too often within 15 minutes, over GraphQL, REST and SOCKS alike. */
export interface Throttle {
  // Failed authentications, per (client address, e-mail or key prefix); a success clears them.
  /** Seconds to wait, or undefined when an attempt is allowed. */
  blockedFor(clientAddress: string, subject: string): Promise<number | undefined>;
  failed(clientAddress: string, subject: string): Promise<void>;
  succeeded(clientAddress: string, subject: string): Promise<void>;
  /** Counts a reveal by an account. @returns seconds to wait instead when there were `MAX_REVEALS` */
  reveal(accountId: bigint): Promise<number | undefined>;
  /**
   * Counts a mail that a client asks for, whether or not anybody has the address.
   * @returns seconds to wait instead when there were `MAX_MAILS_ASKED`
   */
  askMail(clientAddress: string, email: string): Promise<number | undefined>;
  /** Counts a message for a wallet that a client asks for. @returns seconds to wait instead when there were `MAX_CHALLENGES_ASKED` */
  askChallenge(clientAddress: string): Promise<number | undefined>;
}

/** @param maxFailures authentications that may fail within 15 minutes; with Redis the instances of a fleet count together */
export function createThrottle(maxFailures: number, redis?: Redis): Throttle {
  const failures = createLimiter('auth', maxFailures, redis);
  const reveals = createLimiter('reveal', MAX_REVEALS, redis);
  const mails = createLimiter('mail', MAX_MAILS_ASKED, redis);
  const challenges = createLimiter('challenge', MAX_CHALLENGES_ASKED, redis);
  // Subjects are hashed: neither e-mail addresses nor pieces of keys lie in Redis in clear.
  const counter = (address: string, subject: string): string =>
    sha256(`${address} ${subject}`).toString('base64url').slice(0, 22);
  return {
    async blockedFor(clientAddress, subject) {
      const state = await failures.get(counter(clientAddress, subject));
      if (state === null || state.consumedPoints < maxFailures) return undefined;
      return secondsToWait(state);
    },
    async failed(clientAddress, subject) {
      await failures.penalty(counter(clientAddress, subject), 1);
    },
    async succeeded(clientAddress, subject) {
      await failures.delete(counter(clientAddress, subject));
    },
    reveal: (accountId) => consume(reveals, accountId.toString()),
    askMail: (clientAddress, email) => consume(mails, counter(clientAddress, email)),
    askChallenge: (clientAddress) => consume(challenges, clientAddress),
  };
}

async function consume(limiter: RateLimiterAbstract, name: string): Promise<number | undefined> {
  try {
    await limiter.consume(name);
    return undefined;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return secondsToWait(refused);
    throw refused;
  }
}

/** @param name keeps its counters apart from those of other limiters */
function createLimiter(name: string, points: number, redis: Redis | undefined): RateLimiterAbstract {
  const options = { points, duration: WINDOW_SECONDS, keyPrefix: `passerelle:${name}` };
  const memory = new RateLimiterMemory(options);
  if (redis === undefined) return memory;
  return new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory });
}

function secondsToWait({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}
