import { networkInterfaces } from 'node:os';

import ipaddr from 'ipaddr.js';

import {
  embedded,
  parseAddress,
  parseCidr,
  parseNumericHost,
  textOf,
  within,
  type Address,
  type Cidr,
} from './addresses.ts';
import { Lookups, type Asker } from './lookups.ts';
import { systemLookup, type Lookup } from './names.ts';

/** Milliseconds for one name, waiting for a turn included. */
const LOOKUP_TIMEOUT_MS = 5_000;
/** Addresses of one name that are checked and offered; the rest is ignored. */
const MAX_ADDRESSES = 16;

/** An address of our own that must not be reached through ourselves. */
export interface Listener {
  /** IP address that is bound; `0.0.0.0` and `::` stand for every address of the machine. */
  readonly address: string;
  readonly port: number;
}

export interface FenceOptions {
  /** CIDRs that are let through although the fence would refuse them (`EGRESS_ALLOW`). */
  readonly allow?: readonly string[];
  /** Our own listeners, asked on each check: they stay refused even inside `allow`. */
  readonly own?: () => readonly Listener[];
  readonly lookup?: Lookup;
  readonly lookupTimeoutMs?: number;
}

/**
 * `addresses`: literals, checked, to dial as they are, never to be resolved again: a name that
 * changes between check and use changes nothing. `NOT_FOUND`: no such name. `LOOKUP_FAILED`: the
 * name servers failed or took too long.
 */
export type Resolved =
  | { readonly addresses: readonly [string, ...string[]] }
  | { readonly failure: 'EGRESS_FORBIDDEN' | 'NOT_FOUND' | 'LOOKUP_FAILED' };

/** Which addresses may be dialled. One fence guards proxy, browser and webhooks. */
export interface Fence {
  /** Whether the literal address may be dialled on this port. False for anything that is no IP literal. */
  permits(address: string, port: number): boolean;
  /** Whether the literal address lies in `allow` (where webhooks may use plain http). */
  opened(address: string): boolean;
  /**
   * Turns a host as a client wrote it (name, IPv4 in any form that resolvers take, IPv6 with or
   * without brackets) into addresses to dial: the permitted ones. Refused when none of several is.
   * @param asker whose share of the lookups it is; of nobody's when absent
   */
  resolve(host: string, port: number, asker?: Asker): Promise<Resolved>;
}

/** @throws RangeError when `allow` holds something else than CIDRs */
export function createFence(options: FenceOptions = {}): Fence {
  const allow = (options.allow ?? []).map(parseCidr);
  const own = options.own ?? (() => []);
  const lookups = new Lookups(options.lookup ?? systemLookup(), options.lookupTimeoutMs ?? LOOKUP_TIMEOUT_MS);
  const permitted = (address: Address, port: number): boolean =>
    isPublic(address, allow) && !own().some((listener) => reaches(address, port, listener));
  const pinned = (addresses: readonly Address[], port: number): Resolved => {
    const [first, ...rest] = addresses.filter((address) => permitted(address, port)).map(textOf);
    return first === undefined ? { failure: 'EGRESS_FORBIDDEN' } : { addresses: [first, ...rest] };
  };
  return {
    permits(address, port) {
      const parsed = parseAddress(address);
      return parsed !== undefined && permitted(parsed, port);
    },
    opened(address) {
      const parsed = parseAddress(address);
      return parsed !== undefined && allow.some((cidr) => within(parsed, cidr));
    },
    async resolve(host, port, asker) {
      if (host.includes('%')) return { failure: 'EGRESS_FORBIDDEN' };
      const name = host
        .replace(/^\[(.*)\]$/, '$1')
        .replace(/\.$/, '')
        .toLowerCase();
      const literal = parseAddress(name) ?? parseNumericHost(name);
      if (literal === null || name === '') return { failure: 'NOT_FOUND' };
      if (literal !== undefined) return pinned([literal], port);
      const found = await lookups.find(name, asker);
      if (found === undefined) return { failure: 'LOOKUP_FAILED' };
      if (found.length === 0) return { failure: 'NOT_FOUND' };
      return pinned(
        found
          .slice(0, MAX_ADDRESSES)
          .map(parseAddress)
          .filter((address) => address !== undefined),
        port,
      );
    },
  };
}

/**
 * Only global unicast passes. `ipaddr.js` knows the special ranges of the IANA registries; beside
 * them IPv4-compatible IPv6 (`::/96`, RFC 4291) is refused, and NAT64 is judged by the IPv4
 * address inside, so that networks with DNS64 work and cannot be used to reach inside.
 */
function isPublic(address: Address, allow: readonly Cidr[]): boolean {
  if (allow.some((cidr) => within(address, cidr))) return true;
  const inner = embedded(address);
  if (inner !== undefined) return isPublic(inner, allow);
  if (address.range() !== 'unicast' || METADATA.some((cidr) => within(address, cidr))) return false;
  // What is neither special nor inside 2000::/3 is not assigned (RFC 3587).
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST);
}

/** Services of a cloud's own machines that sit on public addresses; the others are link-local, CGNAT or ULA. */
const METADATA = [parseCidr('168.63.129.16/32')];

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Whether dialling the address reaches the listener. The unspecified address reaches the machine itself. */
function reaches(dialled: Address, port: number, listener: Listener): boolean {
  if (port !== listener.port) return false;
  const address = embedded(dialled) ?? dialled;
  const bound = parseAddress(listener.address);
  if (bound === undefined || isUnspecified(bound)) return isLocal(address);
  if (isUnspecified(address)) return bound.range() === 'loopback';
  return textOf(address) === textOf(bound);
}

function isUnspecified(address: Address): boolean {
  return address.range() === 'unspecified' || (address instanceof ipaddr.IPv4 && address.octets[0] === 0);
}

function isLocal(address: Address): boolean {
  if (isUnspecified(address) || address.range() === 'loopback') return true;
  const text = textOf(address);
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((entry) => {
      const local = parseAddress(entry.address);
      return local !== undefined && textOf(local) === text;
    }),
  );
}
