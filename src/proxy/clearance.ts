import type { Denial } from '../keyRules.ts';
import type { AuthenticatedKey, MeterSession, Opened } from '../metering/session.ts';
import type { Verdict } from './answers.ts';
import type { House, RefusedClient } from './house.ts';

/** Who wants something, and what is known of the key. */
export interface Applicant {
  readonly key: AuthenticatedKey;
  readonly client: RefusedClient;
  /** Why the key opens nothing, when it does not. */
  readonly denial: Denial | undefined;
}

/** What a request is judged by. */
export interface Wish extends Applicant {
  readonly host: string;
  readonly port: number;
}

/** A session that the caller has to close, and checked addresses to dial; or what to tell the client. */
export type Clearance =
  { readonly session: MeterSession; readonly addresses: readonly [string, ...string[]] } | Verdict;

/** Tells the owner of the key. @returns what to tell the client */
export function refuse(
  house: House,
  { key, client }: Applicant,
  denial: Denial,
): Extract<Verdict, { refusal: unknown }> {
  house.refused(denial.code, key.keyId, denial.message, client);
  return { refusal: denial };
}

/** Decides about somebody: what was known of the key, then credit. @returns a session that the caller has to close */
export async function afford(
  house: House,
  applicant: Applicant,
): Promise<{ readonly session: MeterSession } | Verdict> {
  if (applicant.denial !== undefined) return refuse(house, applicant, applicant.denial);
  const opened = await open(house, applicant);
  if (opened === undefined) return { refusal: { code: 'SERVICE_UNAVAILABLE' } };
  return 'refusal' in opened ? refuse(house, applicant, { code: opened.refusal }) : opened;
}

/** Decides about a request: who it is, then name and fence. */
export async function clear(house: House, wish: Wish): Promise<Clearance> {
  // Credit comes before the name: whoever cannot pay does not make us resolve anything.
  const afforded = await afford(house, wish);
  if (!('session' in afforded)) return afforded;
  const { session } = afforded;
  const resolved = await house.fence.resolve(wish.host, wish.port, wish.key.keyId);
  if ('addresses' in resolved) return { session, addresses: resolved.addresses };
  session.close();
  if (resolved.failure === 'EGRESS_FORBIDDEN') return refuse(house, wish, { code: 'EGRESS_FORBIDDEN' });
  return { failure: resolved.failure === 'NOT_FOUND' ? 'NO_SUCH_NAME' : 'LOOKUP_FAILED' };
}

/** @returns undefined when the meter failed */
async function open({ openSession, log }: House, { key, client }: Applicant): Promise<Opened | undefined> {
  const { product } = client;
  try {
    const opened = openSession(key, product);
    return opened instanceof Promise ? await opened : opened;
  } catch (error) {
    log.error({ err: error, product }, 'the meter failed to open a session');
    return undefined;
  }
}
