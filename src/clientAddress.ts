import type { IncomingMessage } from 'node:http';

import { normalAddress, parseAddress, within, type Cidr } from './addresses.ts';

/** Hops of `X-Forwarded-For` that are followed: more than any chain of proxies has. */
const MAX_HOPS = 20;

/** Of requests that came through a trusted proxy's network; of the others the socket tells. */
const noted = new WeakMap<IncomingMessage, string>();

/**
 * Works out where a request comes from, for throttling, allow-lists and audit: the address of its socket;
 * behind trusted proxies the last address of `X-Forwarded-For` that none of them has.
 * What comes before that one is the client's own say and is not looked at.
 */
export function noteClientAddress(request: IncomingMessage, trusted: readonly Cidr[]): void {
  // Most servers trust nobody: their requests pay nothing for it.
  if (trusted.length > 0) noted.set(request, followed(request, trusted));
}

/** Where a request comes from; empty when its socket was gone before that could be told. */
export function clientAddressOf(request: IncomingMessage): string {
  return noted.get(request) ?? peerOf(request);
}

function peerOf({ socket }: IncomingMessage): string {
  return normalAddress(socket.remoteAddress ?? '') ?? '';
}

function followed(request: IncomingMessage, trusted: readonly Cidr[]): string {
  const forwarded = request.headers['x-forwarded-for'];
  const hops = (typeof forwarded === 'string' ? forwarded.split(',') : []).slice(-MAX_HOPS).map((hop) => hop.trim());
  let current = peerOf(request);
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
