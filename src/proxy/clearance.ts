import type { Denial } from '../keyRules.ts';
import type { AuthenticatedKey, MeterSession, Opened } from '../metering/session.ts';
import type { Verdict } from './answers.ts';
import type { House, RefusedClient } from './house.ts';

/** What a request is judged by. */
export interface Wish {
  readonly key: AuthenticatedKey;
  readonly client: RefusedClient;
  /** Why the key opens nothing, when it does not. */
  readonly denial: Denial | undefined;
  readonly host: string;
  readonly port: number;
}

/** A session that the caller has to close, and checked addresses to dial; or what to tell the client. */
export type Clearance =
  { readonly session: MeterSession; readonly addresses: readonly [string, ...string[]] } | Verdict;

/** Decides about a request: what was known of the key, then credit, then name and fence. */
export async function clear(house: House, wish: Wish): Promise<Clearance> {
  const refuse = (denial: Denial): Clearance => {
    house.refused(denial.code, wish.key.keyId, denial.message, wish.client);
    return { refusal: denial };
  };
  if (wish.denial !== undefined) return refuse(wish.denial);
  // Credit comes before the name: whoever cannot pay does not make us resolve anything.
  const opened = await open(house, wish);
  if (opened === undefined) return { refusal: { code: 'SERVICE_UNAVAILABLE' } };
  if ('refusal' in opened) return refuse({ code: opened.refusal });
  const { session } = opened;
  const resolved = await house.fence.resolve(wish.host, wish.port);
  if ('addresses' in resolved) return { session, addresses: resolved.addresses };
  session.close();
  if (resolved.failure === 'EGRESS_FORBIDDEN') return refuse({ code: 'EGRESS_FORBIDDEN' });
  return { failure: resolved.failure === 'NOT_FOUND' ? 'NO_SUCH_NAME' : 'LOOKUP_FAILED' };
}

/** @returns undefined when the meter failed */
async function open({ openSession, log }: House, { key, client }: Wish): Promise<Opened | undefined> {
  const { product } = client;
  try {
    const opened = openSession(key, product);
    return opened instanceof Promise ? await opened : opened;
  } catch (error) {
    log.error({ err: error, product }, 'the meter failed to open a session');
    return undefined;
  }
}
