import type { Fence } from '../egress.ts';

/** Characters of a webhook's URL. */
const MAX_LENGTH = 2048;
/** Names that mean the machine itself wherever they are looked up (RFC 6761, section 6.3). */
const LOCAL_NAME = /(?:^|\.)localhost\.?$/;
/** WHATWG URLs write IPv4 in any notation as four decimals, and IPv6 in brackets. */
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;
const PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/**
 * Judges the URLs of webhooks as far as that goes without the network: names are resolved, and their addresses
 * checked by the same fence, each time something is sent.
 * @returns a function that answers why a URL cannot be used; undefined: it can
 */
export function createWebhookTarget(fence: Pick<Fence, 'permits' | 'opened'>): (text: string) => string | undefined {
  return (text) => {
    if (text.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
    if (!URL.canParse(text)) return 'must be a URL';
    const url = new URL(text);
    const standardPort = PORTS[url.protocol];
    if (standardPort === undefined) return 'must begin with https://';
    if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
    if (url.port === '0') return 'must not name port 0';
    if (LOCAL_NAME.test(url.hostname)) return REFUSED;
    const port = url.port === '' ? standardPort : Number(url.port);
    if (!ADDRESS.test(url.hostname)) return url.protocol === 'https:' ? undefined : PLAIN;
    const address = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (url.protocol === 'http:' && !fence.opened(address)) return PLAIN;
    return fence.permits(address, port) ? undefined : REFUSED;
  };
}

const PLAIN = 'must begin with https://; plain http:// only reaches addresses that the operator has opened';
const REFUSED = 'must not lead to a private or internal address';
