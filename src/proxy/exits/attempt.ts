import type { DialFailure } from '../relay/relay.ts';
import type { ExitSpec, UpstreamSpec } from './config.ts';
import { ConnectHandshake } from './connectClient.ts';
import type { Blame, Setback } from './exit.ts';
import { SocksHandshake } from './socksClient.ts';
import type { UpstreamHandshake } from './upstream.ts';

// What a relay needs to carry out an attempt and to tell what came of it. An attempt is plain data, so
// it may be carried out in another thread than the journey's.

/** Addresses of an upstream proxy that are tried for one connection. */
export const MAX_UPSTREAM_ADDRESSES = 3;

export function isUpstream(spec: ExitSpec): spec is UpstreamSpec {
  return spec.kind === 'SOCKS5' || spec.kind === 'HTTP';
}

/** To be led on a connection to the upstream proxy. @param address literal of the target */
export function beginUpstream({ kind, login }: UpstreamSpec, address: string, port: number): UpstreamHandshake {
  const request = { login, address, port };
  return kind === 'SOCKS5' ? new SocksHandshake(request) : new ConnectHandshake(request);
}

/** To be led on a connection to a SOCKS5 proxy that is to relay datagrams. Where they will come from is not known yet. */
export function beginAssociation({ login }: UpstreamSpec): SocksHandshake {
  return new SocksHandshake({ login, address: '0.0.0.0', port: 0 }, 'UDP_ASSOCIATE');
}

/** To be led on a connection to a SOCKS5 proxy to learn whether it lets us in; it is open after the login. */
export function beginLogin({ login }: UpstreamSpec): SocksHandshake {
  return new SocksHandshake({ login, address: '0.0.0.0', port: 0 }, 'LOGIN');
}

/** The target, dialled from this machine, was not reached. */
export function targetSetback(failure: DialFailure): Setback {
  return { failure, blame: BLAME[failure], detail: `connecting to the target: ${failure}` };
}

/** The upstream proxy, dialled from this machine, was not reached. */
export function upstreamUnreached(failure: DialFailure): Setback {
  const detail = `connecting to the upstream proxy: ${failure}`;
  return failure === 'NO_RESOURCES' ? { failure, blame: BLAME[failure], detail } : upstreamSetback(detail);
}

/** The upstream proxy does not do its work. */
export function upstreamSetback(detail: string): Setback {
  return { failure: 'HOST_UNREACHABLE', blame: 'EXIT', detail };
}

/** Silence and missing routes may come from the address that is dialled from; a refusal is the target's own. */
const BLAME: Readonly<Record<DialFailure, Blame>> = {
  NETWORK_UNREACHABLE: 'UNSURE',
  HOST_UNREACHABLE: 'UNSURE',
  CONNECTION_REFUSED: 'TARGET',
  TIMED_OUT: 'UNSURE',
  LOCAL_ADDRESS_MISSING: 'EXIT',
  NO_RESOURCES: 'NOBODY',
  ABANDONED: 'UNSURE',
};
