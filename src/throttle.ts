import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';

import { cidrText, parseAddress } from './addresses.ts';
import { sha256 } from './crypto.ts';

const WINDOW_SECONDS = 15 * 60;
/** Secrets that one account may have revealed within 15 minutes: no client needs them one after the other. */
export const MAX_REVEALS = 30;
/** New secrets that one account may give to its keys within 15 minutes, by rotation or regeneration; each stays on record. */
export const MAX_SECRET_CHANGES = 30;
/** Mails that one client may ask for to one e-mail address within 15 minutes. */
export const MAX_MAILS_ASKED = 5;
/** Mails that one client may ask for within 15 minutes, sign-ups included, to whatever addresses. */
export const MAX_MAILS_OF_CLIENT = 20;
/** Messages for wallets that one client may ask for within 15 minutes. */
export const MAX_CHALLENGES_ASKED = 60;
/** Questions to a chain that signatures of one client may cause within 15 minutes. */
export const MAX_CHAIN_QUESTIONS = 30;
/**
 * Sign-ins of one client, by password or wallet, that may fail within 15 minutes over all e-mail addresses and wallets;
 * more where the operator allows more for one of them. Many people may share an address: far above what one may.
 */
export const MAX_FAILED_SIGN_INS = 100;

/** Bits of an IPv6 address that a client does not choose: whoever gets a network gets 64 bits of its own (RFC 6177). */
const IPV6_NETWORK_BITS = 64;

/**
 * What counts as one client: an IPv4 address as it is, also mapped into IPv6; of IPv6 the network.
 * A text that is no address stands for itself.
 */
export function clientNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const parsed = parseAddress(address);
  if (parsed === undefined) return address;
  return parsed.kind() === 'ipv4' ? parsed.toString() : cidrText([parsed, IPV6_NETWORK_BITS]);
}

/**
 * Counts what must not happen too often within 15 minutes, over GraphQL, REST and SOCKS alike. Clients are told apart
 * by `clientNetwork`. What answers seconds to wait answers undefined when the call is allowed.
 */
export interface Throttle {
  // Failed authentications, per (client, e-mail, wallet or key prefix); a success clears them.
  /** Seconds to wait. */
  blockedFor(clientAddress: string, subject: string): Promise<number | undefined>;
  failed(clientAddress: string, subject: string): Promise<void>;
  succeeded(clientAddress: string, subject: string): Promise<void>;
  /**
   * Counts a sign-in before it is looked at, so that many at once do not all pass. API keys do not count: one client
   * with a wrong key keeps nobody who shares its address from signing in.
   * @returns seconds to wait when `MAX_FAILED_SIGN_INS` failed or are under way
   */
  beginSignIn(clientAddress: string): Promise<number | undefined>;
  /** Takes back what `beginSignIn` counted: it did not fail. */
  forgiveSignIn(clientAddress: string): Promise<void>;
  /** Counts a reveal by an account. @returns seconds to wait when there were `MAX_REVEALS` */
  reveal(accountId: bigint): Promise<number | undefined>;
  /** Counts a new secret for a key of an account. @returns seconds to wait when there were `MAX_SECRET_CHANGES` */
  changeSecret(accountId: bigint): Promise<number | undefined>;
  /**
   * Counts a mail that a client asks for, whether or not anybody has the address.
   * @returns seconds to wait when there were `MAX_MAILS_ASKED` to the address, or `MAX_MAILS_OF_CLIENT`
   */
  askMail(clientAddress: string, email: string): Promise<number | undefined>;
  /** Counts a message for a wallet that a client asks for. @returns seconds to wait when there were `MAX_CHALLENGES_ASKED` */
  askChallenge(clientAddress: string): Promise<number | undefined>;
  /** Counts a question to a chain before it is asked. @returns seconds to wait when there were `MAX_CHAIN_QUESTIONS` */
  askChain(clientAddress: string): Promise<number | undefined>;
}

/**
 * Counters that attackers could multiply, one for each subject they name, are written only after one of the client
 * itself: so many of them can come of one client.
 * @param maxFailures authentications that may fail within 15 minutes; with Redis the instances of a fleet count together
 */
export function createThrottle(maxFailures: number, redis?: Redis): Throttle {
  const failures = createLimiter('auth', maxFailures, redis);
  const signIns = createLimiter('sign-in', Math.max(maxFailures, MAX_FAILED_SIGN_INS), redis);
  const reveals = createLimiter('reveal', MAX_REVEALS, redis);
  const secretChanges = createLimiter('secret', MAX_SECRET_CHANGES, redis);
  const mails = createLimiter('mail', MAX_MAILS_ASKED, redis);
  const mailsOfClient = createLimiter('mails', MAX_MAILS_OF_CLIENT, redis);
  const challenges = createLimiter('challenge', MAX_CHALLENGES_ASKED, redis);
  const questions = createLimiter('chain', MAX_CHAIN_QUESTIONS, redis);
  // Subjects are hashed: neither e-mail addresses nor pieces of keys lie in Redis in clear.
  const counter = (address: string, subject: string): string =>
    sha256(`${clientNetwork(address)} ${subject}`)
      .toString('base64url')
      .slice(0, 22);
  return {
    blockedFor: (clientAddress, subject) => blocked(failures, counter(clientAddress, subject)),
    async failed(clientAddress, subject) {
      await failures.penalty(counter(clientAddress, subject), 1);
    },
    async succeeded(clientAddress, subject) {
      await failures.delete(counter(clientAddress, subject));
    },
    async beginSignIn(clientAddress) {
      const name = clientNetwork(clientAddress);
      const wait = await consume(signIns, name);
      // What is refused is no failure.
      if (wait !== undefined) await signIns.reward(name, 1);
      return wait;
    },
    async forgiveSignIn(clientAddress) {
      await signIns.reward(clientNetwork(clientAddress), 1);
    },
    reveal: (accountId) => consume(reveals, accountId.toString()),
    changeSecret: (accountId) => consume(secretChanges, accountId.toString()),
    async askMail(clientAddress, email) {
      const name = counter(clientAddress, email);
      // Looked at first: who asks for the same mail again and again does not use up what others behind the address may.
      const wait = (await blocked(mails, name)) ?? (await consume(mailsOfClient, clientNetwork(clientAddress)));
      return wait ?? consume(mails, name);
    },
    askChallenge: (clientAddress) => consume(challenges, clientNetwork(clientAddress)),
    askChain: (clientAddress) => consume(questions, clientNetwork(clientAddress)),
  };
}

async function blocked(limiter: RateLimiterAbstract, name: string): Promise<number | undefined> {
  const state = await limiter.get(name);
  return state === null || state.consumedPoints < limiter.points ? undefined : secondsToWait(state);
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
