import path from 'node:path';

import ipaddr from 'ipaddr.js';
import { z } from 'zod';

import { parseCidr } from './addresses.ts';
import { parseExits } from './proxy/exits/config.ts';
import { parseCredits } from './units.ts';

/** Everything the environment decides. README.md, "Variables", documents each one. */
export type Config = Readonly<z.infer<typeof Environment>>;

/** The environment holds values that cannot be used; the message names every one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const port = (fallback: number) => whole(fallback, 0, 65_535);

function whole(fallback: number, least: number, most: number) {
  return z
    .string()
    .default(String(fallback))
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most, {
      message: `must be a whole number from ${least} to ${most}`,
    })
    .transform(Number);
}

const MAX_DAYS = 3_650;
const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, ctx) => {
      const match = /^([1-9]\d{0,7})([smhd])$/.exec(text);
      const seconds = match === null ? 0 : Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
      if (seconds > 0 && seconds <= MAX_DAYS * SECONDS.d) return seconds;
      return fault(ctx, `must be a duration such as 7d, 12h, 30m or 45s, ${MAX_DAYS} days at most`);
    });

const url = (protocols: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });

const credits = z.string().transform((text, ctx) => {
  const amount = parseCredits(text);
  if (amount !== undefined && amount >= 0n) return amount;
  return fault(ctx, 'must be a number of credits, 0 or more, with at most 9 decimals');
});

const cidrs = z
  .string()
  .default('')
  .transform((text, ctx) => {
    const parts = list(text);
    const bad = parts.filter((part) => !part.includes('/') || !isCidr(part));
    if (bad.length > 0) return fault(ctx, `must be a comma list of CIDR blocks; not one: ${bad.join(', ')}`);
    return parts;
  });

/** As the fence will read it. */
function isCidr(text: string): boolean {
  try {
    parseCidr(text);
    return true;
  } catch {
    return false;
  }
}

const exits = z
  .string()
  .default('direct')
  .transform((text, ctx) => {
    const parsed = parseExits(text);
    return 'exits' in parsed ? parsed.exits : fault(ctx, parsed.faults.join('; '));
  });

const masterKey = z.string().transform((text, ctx) => {
  const bytes = Buffer.from(text, 'base64');
  const exact = bytes.toString('base64') === text || bytes.toString('base64').replace(/=+$/, '') === text;
  return exact && bytes.length === 32 ? bytes : fault(ctx, 'must be 32 bytes in base64 (openssl rand -base64 32)');
});

/** Within what sign-in takes (src/schema): another password would be accepted here and never again. */
const password = z
  .string()
  .min(12, { message: 'must have at least 12 characters' })
  .max(1_000, { message: 'must have at most 1000 characters' })
  .refine((text) => !/\p{Cc}/u.test(text), { message: 'must not hold control characters' });

/** `no-reply@example.com` or `Passerelle <no-reply@example.com>`. */
const MAILBOX = /^(?:[^<>\p{Cc}@]+ <[^<>\s@]+@[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+)$/u;

const Environment = z.object({
  HOST: z
    .string()
    .default('127.0.0.1')
    .refine((text) => ipaddr.isValid(text) || text === 'localhost', { message: 'must be an IP address' }),
  PORT: port(4000),
  SOCKS_SHARED_PORT: port(1080),
  SOCKS_DEDICATED_PORT: port(1081),
  BROWSER_PORT: port(8080),
  DATA_DIR: z
    .string()
    .default('./data')
    .transform((text) => path.resolve(text)),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  REDIS_URL: url(['redis:', 'rediss:']).optional(),
  PUBLIC_URL: url(['http:', 'https:'])
    .transform((text) => text.replace(/\/+$/, ''))
    .optional(),
  MASTER_KEY: masterKey.optional(),
  ADMIN_EMAIL: z
    .email({ message: 'must be an e-mail address' })
    .max(254, { message: 'must have at most 254 characters' })
    .or(z.literal('admin@localhost'))
    .default('admin@localhost'),
  ADMIN_PASSWORD: password.optional(),
  ADMIN_API_KEY: z
    .string()
    .regex(/^lpf_[0-9a-f]{32}$/, { message: 'must be lpf_ and 32 lower-case hexadecimal digits' })
    .optional(),
  WELCOME_CREDITS: credits.optional(),
  SMTP_URL: url(['smtp:', 'smtps:']).optional(),
  MAIL_FROM: z
    .string()
    .max(320, { message: 'must have at most 320 characters' })
    .refine((text) => MAILBOX.test(text), { message: 'must be an address, or a name and an address in <>' })
    .optional(),
  CHAIN_RPC: z.record(z.string(), url(['http:', 'https:'])).default({}),
  TRUSTED_PROXIES: cidrs,
  EGRESS_ALLOW: cidrs,
  EXITS_SHARED: exits,
  EXITS_DEDICATED: exits,
  RELAY: z.enum(['auto', 'fast', 'portable'], { message: 'must be auto, fast or portable' }).default('auto'),
  RELAY_WORKERS: whole(1, 1, 64),
  SOCKS_IDLE_TIMEOUT: whole(300, 1, 86_400),
  MAX_CONNECTIONS_PER_KEY: whole(10_000, 1, 1_000_000),
  MAX_SUBSCRIPTIONS_PER_ACCOUNT: whole(5_000, 1, 1_000_000),
  AUTH_MAX_FAILURES: whole(10, 1, 1_000_000),
  LPF_SESSION_TTL: duration('7d'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      message: 'must be fatal, error, warn, info, debug, trace or silent',
    })
    .default('info'),
});

/**
 * Reads the configuration. An empty value counts as unset.
 * @throws ConfigError with one message that names every fault; no secret is repeated in it
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = Environment.safeParse({ ...given, CHAIN_RPC: chains(given) });
  const malformed = result.success
    ? []
    : result.error.issues.map((issue) => `${issue.path.join('_')} ${issue.message}`);
  const faults = [...malformed, ...contradictions(given)];
  if (result.success && faults.length === 0) return Object.freeze(result.data);
  throw new ConfigError(`The configuration cannot be used:\n${faults.map((text) => `  ${text}`).join('\n')}`);
}

const CHAIN_PREFIX = 'CHAIN_RPC_';
const CHAIN = /^CHAIN_RPC_([1-9]\d{0,17})$/;

/** `CHAIN_RPC_1`, `CHAIN_RPC_8453` …: the endpoint of each chain by its number. */
function chains(given: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const found = Object.entries(given).map(([name, value]) => [CHAIN.exec(name)?.[1], value]);
  return Object.fromEntries(found.filter(([chainId]) => chainId !== undefined)) as Record<string, string | undefined>;
}

/** Faults of values that are well-formed by themselves: looked for also when others are not. */
function contradictions(given: Readonly<Record<string, string | undefined>>): string[] {
  const faults: string[] = [];
  if (given['DATABASE_URL'] !== undefined && given['MASTER_KEY'] === undefined) {
    faults.push(
      'MASTER_KEY is required with DATABASE_URL: 32 bytes in base64 (openssl rand -base64 32), the same for every instance',
    );
  }
  for (const name of Object.keys(given)) {
    if (name.startsWith(CHAIN_PREFIX) && !CHAIN.test(name))
      faults.push(`${name} must end in the number of a chain, such as ${CHAIN_PREFIX}8453`);
  }
  return faults;
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function fault(ctx: z.core.$RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message });
  return z.NEVER;
}
