import type { IncomingMessage } from 'node:http';

import { normalAddress, parseAddress, within, type Cidr } from './addresses.ts';

/** Hops of `X-Forwarded-For` that are followed: more than any chain of proxies has. */
const MAX_HOPS = 20;

const noted = new WeakMap<IncomingMessage, string>();

/**
 * Works out where a request comes from, for throttling, allow-lists and audit: the address of its socket;
 * behind trusted proxies the last address of `X-Forwarded-For` that none of them has.
 * What comes before that one is the client's own say and is not looked at.
 */
export function noteClientAddress(request: IncomingMessage, trusted: readonly Cidr[]): void {
  const peer = request.socket.remoteAddress ?? '';
  noted.set(request, trusted.length === 0 ? (normalAddress(peer) ?? '') : followed(request, peer, trusted));
}

/** Where a request comes from; empty when its socket was gone before that could be told. */
export function clientAddressOf(request: IncomingMessage): string {
  return noted.get(request) ?? normalAddress(request.socket.remoteAddress ?? '') ?? '';
}

function followed({ headers }: IncomingMessage, peer: string, trusted: readonly Cidr[]): string {
  const forwarded = headers['x-forwarded-for'];
  const hops = (typeof forwarded === 'string' ? forwarded.split(',') : []).slice(-MAX_HOPS).map((hop) => hop.trim());
  let current = normalAddress(peer) ?? '';
  while (isTrusted(current, trusted)) {
    const hop = normalAddress(hops.pop() ?? '');
    if (hop === undefined) break;
    current = hop;
  }
  return current;
}

function isTrusted(text: string, trusted: readonly Cidr[]): boolean {
  const address = parseAddress(text);
  return address !== undefined && trusted.some((block) => within(address, block));
}
