import type { RefusalCode } from '../errors.ts';
import type { AuthenticatedKey, MeterSession, Opened } from '../metering/session.ts';
import type { TargetFailure } from './answers.ts';
import type { House, ProxyProduct } from './house.ts';

/** What a request is judged by. */
export interface Wish {
  readonly key: AuthenticatedKey;
  readonly product: ProxyProduct;
  /** The key has as many connections as it may. */
  readonly overLimit: boolean;
  readonly host: string;
  readonly port: number;
}

/** A session that the caller has to close, and checked addresses to dial; or what to tell the client. */
export type Clearance =
  | { readonly session: MeterSession; readonly addresses: readonly [string, ...string[]] }
  | { readonly refusal: RefusalCode }
  | { readonly failure: TargetFailure };

/** Decides about a request: connection limit, then credit, then name and fence. */
export async function clear(house: House, wish: Wish): Promise<Clearance> {
  const refuse = (code: RefusalCode): Clearance => {
    house.refused(code, wish.key.keyId);
    return { refusal: code };
  };
  if (wish.overLimit) return refuse('CONNECTION_LIMIT');
  // Credit comes before the name: whoever cannot pay does not make us resolve anything.
  const opened = await open(house, wish);
  if (opened === undefined) return { refusal: 'SERVICE_UNAVAILABLE' };
  if ('refusal' in opened) return refuse(opened.refusal);
  const { session } = opened;
  const resolved = await house.fence.resolve(wish.host, wish.port);
  if ('addresses' in resolved) return { session, addresses: resolved.addresses };
  session.close();
  if (resolved.failure === 'EGRESS_FORBIDDEN') return refuse('EGRESS_FORBIDDEN');
  return { failure: resolved.failure === 'NOT_FOUND' ? 'NO_SUCH_NAME' : 'LOOKUP_FAILED' };
}

/** @returns undefined when the meter failed */
async function open({ openSession, log }: House, { key, product }: Wish): Promise<Opened | undefined> {
  try {
    const opened = openSession(key, product);
    return opened instanceof Promise ? await opened : opened;
  } catch (error) {
    log.error({ err: error, product }, 'the meter failed to open a session');
    return undefined;
  }
}
