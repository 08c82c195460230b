import type { Product } from '../units.ts';
import type { Abandonment } from './relay/abandonment.ts';
import { DialError, type Peer, type Relay } from './relay/relay.ts';

/** Addresses of one target that are tried, one after the other, within the connect timeout. */
export const MAX_ATTEMPTS = 4;

export interface ExitRequest {
  /** Addresses as the fence pinned them, at least one. */
  readonly addresses: readonly [string, ...string[]];
  readonly port: number;
  /** Milliseconds for all attempts together. */
  readonly timeoutMs: number;
  readonly abandonment: Abandonment;
}

/** A way out to the internet. */
export interface Exit {
  /** As configured, without credentials. */
  readonly name: string;
  /** @throws DialError of the last attempt */
  connect<Endpoint>(relay: Relay<Endpoint>, request: ExitRequest): Promise<Endpoint>;
}

/** Dials from this machine, from the address that the system chooses. */
const DIRECT: Exit = {
  name: 'direct',
  async connect(relay, { addresses, port, timeoutMs, abandonment }) {
    const deadline = performance.now() + timeoutMs;
    const attempts = addresses.slice(0, MAX_ATTEMPTS);
    for (const [index, address] of attempts.entries()) {
      const peer: Peer = { address, port };
      const left = deadline - performance.now();
      // An address that swallows packets leaves the ones after it their share of the time.
      const share = left / (attempts.length - index);
      try {
        return await relay.dial(peer, { timeoutMs: share, abandonment });
      } catch (error) {
        if (index === attempts.length - 1 || abandonment.abandoned) throw error;
      }
    }
    throw new DialError('HOST_UNREACHABLE');
  },
};

/** Takes the exits of a product in turn; directly where there are none. */
export function rotation(
  exits: Readonly<Partial<Record<Product, readonly [Exit, ...Exit[]]>>> | undefined,
): (product: Product) => Exit {
  const turns = { SHARED: 0, DEDICATED: 0, BROWSER: 0 };
  return (product) => {
    const pool = exits?.[product];
    return pool?.[turns[product]++ % pool.length] ?? DIRECT;
  };
}
