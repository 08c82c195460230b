import { DialError, type Peer, type Relay } from './relay/relay.ts';

/** Addresses of one target that are tried, one after the other, within the connect timeout. */
const MAX_ATTEMPTS = 4;

export interface ExitRequest {
  /** Addresses as the fence pinned them, at least one. */
  readonly addresses: readonly [string, ...string[]];
  readonly port: number;
  /** Milliseconds for all attempts together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A way out to the internet. */
export interface Exit {
  /** As configured, without credentials. */
  readonly name: string;
  /** @throws DialError of the last attempt */
  connect<Endpoint>(relay: Relay<Endpoint>, request: ExitRequest): Promise<Endpoint>;
}

/** Dials from this machine, from the address that the system chooses. */
export const DIRECT: Exit = {
  name: 'direct',
  async connect(relay, { addresses, port, timeoutMs, signal }) {
    const deadline = performance.now() + timeoutMs;
    const attempts = addresses.slice(0, MAX_ATTEMPTS);
    for (const [index, address] of attempts.entries()) {
      const peer: Peer = { address, port };
      const left = deadline - performance.now();
      // An address that swallows packets leaves the ones after it their share of the time.
      const share = left / (attempts.length - index);
      try {
        return await relay.dial(peer, { timeoutMs: share, signal });
      } catch (error) {
        if (index === attempts.length - 1 || signal.aborted) throw error;
      }
    }
    throw new DialError('HOST_UNREACHABLE');
  },
};

/**
 * Reads `EXITS_SHARED` or `EXITS_DEDICATED`: a comma list.
 * @throws RangeError that names the entry which is not understood
 */
export function parseExits(text: string): readonly [Exit, ...Exit[]] {
  const [first = '', ...rest] = text.split(',').map((entry) => entry.trim());
  return [parseExit(first), ...rest.map(parseExit)];
}

function parseExit(entry: string): Exit {
  if (entry === DIRECT.name) return DIRECT;
  // Never the whole entry: an upstream's carries a password.
  throw new RangeError(`unknown exit "${entry.split(':', 1)[0]}": only "direct" is available`);
}
