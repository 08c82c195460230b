import { parseAddress, parseCidr, within, type Cidr } from './addresses.ts';
import type { ErrorCode, RefusalCode } from './errors.ts';
import { PRODUCTS, type Product } from './units.ts';

export const KEY_SCOPES = ['PROXY', 'READ', 'MANAGE'] as const;
/** What an API key may do: use the proxy, read its account, change its account (which includes reading). */
export type KeyScope = (typeof KEY_SCOPES)[number];

/** What the owner of an API key restricts it to. */
export interface KeyRules {
  /** Grows with every change. */
  readonly no: number;
  readonly scopes: readonly KeyScope[];
  /** Networks of the clients that may use it; empty: everybody. */
  readonly networks: readonly Cidr[];
  /** Products it may be used for; empty: every one. */
  readonly products: readonly Product[];
  /** Restricts nothing: its owner wants to see where its connections go. */
  readonly showTargets: boolean;
}

/** The rules as columns of `api_key_profile`. */
export interface KeyRulesRow {
  readonly rules_no: number;
  readonly scopes: readonly string[];
  readonly allowed_ips: readonly string[];
  readonly products: readonly string[];
  readonly show_targets: boolean;
}

export function rulesOf({ rules_no: no, scopes, allowed_ips: addresses, ...row }: KeyRulesRow): KeyRules {
  return {
    no,
    scopes: KEY_SCOPES.filter((scope) => scopes.includes(scope)),
    networks: addresses.map(parseCidr),
    products: PRODUCTS.filter((product) => row.products.includes(product)),
    showTargets: row.show_targets,
  };
}

/** Whether the rules forbid anything at all. */
export function restricts({ scopes, networks, products }: KeyRules): boolean {
  return scopes.length < KEY_SCOPES.length || networks.length > 0 || products.length > 0;
}

/** Why the proxy refuses or ends a connection. */
export interface Denial {
  readonly code: RefusalCode;
  /** More precise than the catalogue's. */
  readonly message?: string;
}

const NOT_FROM_HERE: Denial = {
  code: 'NOT_ALLOWED',
  message: 'The API key may not be used from this address; its allow-list names others.',
};
const NO_PROXY: Denial = {
  code: 'NOT_ALLOWED',
  message: 'The API key lacks the scope PROXY; use another key, or give it the scope.',
};
const NOT_THIS_PRODUCT: Denial = {
  code: 'NOT_ALLOWED',
  message: 'The API key may not use this product; connect to the port of one that it may.',
};

/** Why the rules keep a client from using a product through the proxy; undefined: they do not. */
export function proxyDenial(rules: KeyRules, product: Product, clientAddress: string): Denial | undefined {
  if (!mayComeFrom(rules, clientAddress)) return NOT_FROM_HERE;
  if (!rules.scopes.includes('PROXY')) return NO_PROXY;
  if (rules.products.length > 0 && !rules.products.includes(product)) return NOT_THIS_PRODUCT;
  return undefined;
}

/** Why the rules keep a client from calling the API at all; undefined: they do not. */
export function apiDenial(rules: KeyRules, clientAddress: string): ErrorCode | undefined {
  if (!mayComeFrom(rules, clientAddress)) return 'ADDRESS_NOT_ALLOWED';
  return rules.scopes.some((scope) => scope !== 'PROXY') ? undefined : 'INSUFFICIENT_SCOPE';
}

function mayComeFrom({ networks }: KeyRules, clientAddress: string): boolean {
  if (networks.length === 0) return true;
  const address = parseAddress(clientAddress);
  return address !== undefined && networks.some((network) => within(address, network));
}

/**
 * Why a credential opens nothing any more. REPLACED: this secret of a key, by another. MOVED: its key is another
 * account's since two were merged; it opens that one.
 */
export type EndCause = 'REVOKED' | 'REPLACED' | 'MOVED' | 'EXPIRED' | 'SUSPENDED';

/** What the proxy says then. */
export const REFUSED_FOR: Readonly<Record<EndCause, Denial>> = {
  REVOKED: { code: 'KEY_REVOKED', message: 'The API key is revoked; use another one.' },
  REPLACED: { code: 'KEY_REVOKED', message: 'This secret of the API key was replaced; use the new one.' },
  MOVED: { code: 'KEY_REVOKED', message: 'The account of the API key was merged into another; connect again.' },
  EXPIRED: { code: 'KEY_EXPIRED' },
  SUSPENDED: { code: 'ACCOUNT_SUSPENDED' },
};

/** What streams of the API end with then; those of an account that was merged into another end in peace. */
export const ENDED_FOR: Readonly<Record<Exclude<EndCause, 'MOVED'>, ErrorCode>> = {
  REVOKED: 'CREDENTIAL_REVOKED',
  REPLACED: 'CREDENTIAL_REVOKED',
  EXPIRED: 'CREDENTIAL_REVOKED',
  SUSPENDED: 'ACCOUNT_SUSPENDED',
};
