import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterAbstract } from 'rate-limiter-flexible';

import { sha256 } from './crypto.ts';

const WINDOW_SECONDS = 15 * 60;

/**
 * Counts failed authentications per (client address, e-mail or key prefix): one counter for
 * GraphQL, REST and SOCKS. A success clears it.
 */
export interface Throttle {
  /** Seconds to wait, or undefined when an attempt is allowed. */
  blockedFor(clientAddress: string, subject: string): Promise<number | undefined>;
  failed(clientAddress: string, subject: string): Promise<void>;
  succeeded(clientAddress: string, subject: string): Promise<void>;
}

/** @param maxFailures within 15 minutes; with Redis the instances of a fleet count together */
export function createThrottle(maxFailures: number, redis?: Redis): Throttle {
  const options = { points: maxFailures, duration: WINDOW_SECONDS, keyPrefix: 'passerelle:auth' };
  const memory = new RateLimiterMemory(options);
  const limiter: RateLimiterAbstract =
    redis === undefined ? memory : new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory });
  // Subjects are hashed: neither e-mail addresses nor pieces of keys lie in Redis in clear.
  const counter = (address: string, subject: string): string =>
    sha256(`${address} ${subject}`).toString('base64url').slice(0, 22);
  return {
    async blockedFor(clientAddress, subject) {
      const state = await limiter.get(counter(clientAddress, subject));
      if (state === null || state.consumedPoints < maxFailures) return undefined;
      return Math.max(1, Math.ceil(state.msBeforeNext / 1000));
    },
    async failed(clientAddress, subject) {
      await limiter.penalty(counter(clientAddress, subject), 1);
    },
    async succeeded(clientAddress, subject) {
      await limiter.delete(counter(clientAddress, subject));
    },
  };
}
