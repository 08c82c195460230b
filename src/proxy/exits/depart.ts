import type { Fence } from '../../egress.ts';
import type { Abandonment } from '../relay/abandonment.ts';
import { DialError, type DialFailure, type Peer, type Relay } from '../relay/relay.ts';
import {
  beginUpstream,
  isUpstream,
  MAX_UPSTREAM_ADDRESSES,
  targetSetback,
  upstreamSetback,
  upstreamUnreached,
} from './attempt.ts';
import type { ExitSpec, UpstreamSpec } from './config.ts';
import type { Setback } from './exit.ts';
import type { UpstreamHandshake } from './upstream.ts';
import type { Attempt, Departure, Journey, JourneyFailure } from './journey.ts';

export interface Means<Endpoint> {
  readonly relay: Relay<Endpoint>;
  /** Finds upstream proxies: the operator's own choice, so everything but our own listeners. */
  readonly resolveUpstream: Fence['resolve'];
  readonly abandonment: Abandonment;
}

/** `local`: the address that the target was dialled from, where it is one of this machine. */
export type Outcome<Endpoint> =
  | { readonly endpoint: Endpoint; readonly local: Peer | undefined; readonly departure: Departure }
  | { readonly failure: JourneyFailure };

/** Carries a journey out, with any relay that dials. */
export async function depart<Endpoint>(journey: Journey, means: Means<Endpoint>): Promise<Outcome<Endpoint>> {
  for (;;) {
    const attempt = journey.next();
    if (attempt === undefined) return { failure: journey.failure };
    const tried = await attemptOnce(attempt, means).catch((error: unknown) => {
      journey.abandoned();
      throw error;
    });
    if (means.abandonment.abandoned) {
      if ('endpoint' in tried) means.relay.discard(tried.endpoint);
      journey.abandoned();
      return { failure: 'ABANDONED' };
    }
    if ('endpoint' in tried) {
      const local = isUpstream(attempt.spec) ? undefined : means.relay.localAddress(tried.endpoint);
      return { ...tried, local, departure: journey.opened() };
    }
    journey.failed(tried.setback);
  }
}

/** What came of one attempt. */
export type Tried<Endpoint> = { readonly endpoint: Endpoint } | { readonly setback: Setback };

function attemptOnce<Endpoint>(attempt: Attempt, means: Means<Endpoint>): Promise<Tried<Endpoint>> {
  const { spec } = attempt;
  return isUpstream(spec) ? throughUpstream(spec, attempt, means) : fromHere(spec, attempt, means);
}

async function fromHere<Endpoint>(
  spec: Exclude<ExitSpec, UpstreamSpec>,
  { address, port, timeoutMs }: Attempt,
  { relay, abandonment }: Means<Endpoint>,
): Promise<Tried<Endpoint>> {
  const local = spec.kind === 'BIND' ? { localAddress: spec.address } : {};
  try {
    return { endpoint: await relay.dial({ address, port }, { timeoutMs, abandonment, ...local }) };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    return { setback: targetSetback(error.failure) };
  }
}

function throughUpstream<Endpoint>(
  spec: UpstreamSpec,
  { address, port, timeoutMs }: Attempt,
  means: Means<Endpoint>,
): Promise<Tried<Endpoint>> {
  return enterUpstream(spec, beginUpstream(spec, address, port), timeoutMs, means);
}

/** Dials an upstream proxy and leads a handshake with it, if there is one, all within a time. */
export async function enterUpstream<Endpoint>(
  spec: UpstreamSpec,
  handshake: UpstreamHandshake | undefined,
  timeoutMs: number,
  means: Means<Endpoint>,
): Promise<Tried<Endpoint>> {
  const deadline = performance.now() + timeoutMs;
  const resolved = await means.resolveUpstream(spec.host, spec.port);
  if ('failure' in resolved)
    return { setback: upstreamSetback(`the upstream proxy has no address: ${resolved.failure}`) };
  const reached = await reachUpstream(resolved.addresses, spec.port, deadline, means);
  if ('setback' in reached || handshake === undefined) return reached;
  const setback = await means.relay.negotiate(reached.endpoint, handshake, {
    timeoutMs: Math.max(1, deadline - performance.now()),
    abandonment: means.abandonment,
  });
  if (setback === undefined) return reached;
  means.relay.discard(reached.endpoint);
  return { setback };
}

/** The first of its addresses that answers; each has its share of the time. */
async function reachUpstream<Endpoint>(
  addresses: readonly string[],
  port: number,
  deadline: number,
  { relay, abandonment }: Means<Endpoint>,
): Promise<Tried<Endpoint>> {
  const attempts = addresses.slice(0, MAX_UPSTREAM_ADDRESSES);
  let failure: DialFailure = 'TIMED_OUT';
  for (const [index, address] of attempts.entries()) {
    const timeoutMs = Math.max(1, (deadline - performance.now()) / (attempts.length - index));
    try {
      return { endpoint: await relay.dial({ address, port }, { timeoutMs, abandonment }) };
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      failure = error.failure;
      if (abandonment.abandoned) break;
    }
  }
  return { setback: upstreamUnreached(failure) };
}
