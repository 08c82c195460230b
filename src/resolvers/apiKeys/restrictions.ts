import { cidrText, parseCidr } from '../../addresses.ts';
import { AppError } from '../../errors.ts';
import { KEY_SCOPES, type KeyScope } from '../../keyRules.ts';
import { PRODUCTS, type Product } from '../../units.ts';

/** Networks and addresses on the allow-list of one key. */
export const MAX_ALLOWED_IPS = 50;

/** What an API key is restricted to, as inputs give it. Absent leaves alone, null lifts the restriction. */
export interface RestrictionInput {
  readonly scopes?: readonly KeyScope[] | null | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
  readonly products?: readonly Product[] | null | undefined;
  /** Restricts nothing, and travels with what does. */
  readonly showTargets?: boolean | null | undefined;
}

/** The same as the database keeps it; absent: as it is. */
export interface Restrictions {
  readonly scopes?: readonly KeyScope[];
  readonly expiresAt?: Date | null;
  /** Networks as `cidrText` writes them, each once; empty: everybody. */
  readonly allowedIps?: readonly string[];
  /** Empty: every one. */
  readonly products?: readonly Product[];
  readonly showTargets?: boolean;
}

/**
 * Every item once, in one order and one spelling.
 * @throws AppError BAD_INPUT for an empty list, a time that has passed, too many addresses, or what is no address
 */
export function restrictionsOf(
  { scopes, expiresAt, allowedIps, products, showTargets }: RestrictionInput,
  now: Date,
): Restrictions {
  return {
    ...(scopes !== undefined && { scopes: scopesOf(scopes) }),
    ...(expiresAt !== undefined && { expiresAt: futureOf(expiresAt, now) }),
    ...(allowedIps !== undefined && { allowedIps: networksOf(allowedIps) }),
    ...(products !== undefined && { products: productsOf(products) }),
    ...(showTargets !== undefined && { showTargets: showTargets ?? false }),
  };
}

// A list that a program computed and that came out empty must not lift the restriction it was meant to be.

function scopesOf(scopes: readonly KeyScope[] | null): readonly KeyScope[] {
  if (scopes === null) return KEY_SCOPES;
  if (scopes.length === 0) throw refusal('scopes', 'must hold at least one scope; null means all');
  return KEY_SCOPES.filter((scope) => scopes.includes(scope));
}

function productsOf(products: readonly Product[] | null): readonly Product[] {
  if (products === null) return [];
  if (products.length === 0) throw refusal('products', 'must hold at least one product; null means all');
  return PRODUCTS.filter((product) => products.includes(product));
}

function futureOf(expiresAt: Date | null, now: Date): Date | null {
  if (expiresAt !== null && expiresAt.getTime() <= now.getTime()) throw refusal('expiresAt', 'must be in the future');
  return expiresAt;
}

function networksOf(texts: readonly string[] | null): readonly string[] {
  if (texts === null) return [];
  if (texts.length === 0) throw refusal('allowedIps', 'must hold at least one address; null means everybody');
  if (texts.length > MAX_ALLOWED_IPS) throw refusal('allowedIps', `must hold at most ${MAX_ALLOWED_IPS} addresses`);
  return [...new Set(texts.map(networkOf))];
}

function networkOf(text: string): string {
  try {
    return cidrText(parseCidr(text));
  } catch (error) {
    if (error instanceof RangeError) throw refusal('allowedIps', 'must hold addresses or CIDR networks only');
    throw error;
  }
}

function refusal(field: string, what: string): AppError {
  return new AppError('BAD_INPUT', { field, message: `${field}: ${what}.` });
}

/** Those that differ from what is there. */
export function newRestrictions(
  { scopes, expiresAt, allowedIps, products, showTargets }: Restrictions,
  held: Readonly<Record<'scopes' | 'allowedIps' | 'products', readonly string[]>> & {
    readonly expiresAt: Date | null;
    readonly showTargets: boolean;
  },
): Restrictions {
  const other = (list: readonly string[], there: readonly string[]): boolean => list.join() !== there.join();
  return {
    ...(scopes !== undefined && other(scopes, held.scopes) && { scopes }),
    ...(expiresAt !== undefined && expiresAt?.getTime() !== held.expiresAt?.getTime() && { expiresAt }),
    ...(allowedIps !== undefined && other(allowedIps, held.allowedIps) && { allowedIps }),
    ...(products !== undefined && other(products, held.products) && { products }),
    ...(showTargets !== undefined && showTargets !== held.showTargets && { showTargets }),
  };
}

/** For the audit log. */
export function recordOf({
  expiresAt,
  ...others
}: Restrictions): Record<string, string | boolean | null | readonly string[]> {
  return { ...others, ...(expiresAt !== undefined && { expiresAt: expiresAt?.toISOString() ?? null }) };
}
