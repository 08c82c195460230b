import type { Services } from '../../context.ts';
import { newApiKeySecret, newToken } from '../../crypto.ts';
import { sql } from '../../database/sql.ts';
import { insertApiKey } from '../apiKeys/insertApiKey.ts';
import { hashPassword, normalizeEmail } from '../auth/password.ts';
import { transaction } from '../transaction.ts';
import { giveFirstCredit, insertAccount } from './insertAccount.ts';

/** Instances that boot at once on one empty database: one of them creates the account. */
const LOCK = sql('firstAccountLock', `select pg_advisory_xact_lock(hashtextextended('first-account', 0))`);
const EXISTS = sql('accountExists', 'select exists (select 1 from users) as found');

/** What the operator configured for the first account; read only while the database has none. */
export interface FirstAccountOptions {
  readonly email: string;
  /** undefined = generate. */
  readonly password: string | undefined;
  /** `lpf_` and 32 hex digits; undefined = generate. */
  readonly apiKey: string | undefined;
  /** Nano-credits. */
  readonly welcomeCredits: bigint;
}

/** What to print, once. */
export interface FirstAccount {
  readonly email: string;
  readonly password: string;
  readonly apiKey: string;
  /** Nano-credits. */
  readonly credits: bigint;
}

/**
 * Creates the first account (administrator, e-mail verified) and one API key when the database
 * has no account.
 * @returns what to print, undefined when there was an account already
 */
export async function firstAccount(
  services: Pick<Services, 'db' | 'events' | 'keys'>,
  options: FirstAccountOptions,
): Promise<FirstAccount | undefined> {
  const [existing] = await services.db.query<{ found: boolean }>(EXISTS);
  if (existing?.found === true) return undefined;
  const email = normalizeEmail(options.email);
  const password = options.password ?? newToken();
  const secret = options.apiKey ?? newApiKeySecret();
  const passwordHash = await hashPassword(password);
  return transaction(services, async (tx, publish) => {
    await tx.query(LOCK);
    const [meanwhile] = await tx.query<{ found: boolean }>(EXISTS);
    if (meanwhile?.found === true) return undefined;
    const userId = await insertAccount(tx, { email, username: null, passwordHash, role: 'ADMIN' });
    await insertApiKey(tx, services.keys, { userId, name: 'First key', secret, limits: {} });
    const amount = options.welcomeCredits;
    await giveFirstCredit(tx, publish, userId, { amount, contra: 'PROMO', reason: 'Welcome credit' });
    return { email, password, apiKey: secret, credits: amount };
  });
}
