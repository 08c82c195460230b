import { createHmac } from 'node:crypto';

import { LRUCache } from 'lru-cache';

import type { Keyring } from '../../crypto.ts';
import { PRODUCTS, type Product } from '../../units.ts';

const DIGITS = 12;
/** Names of each product that are remembered: more than there are exits, which come and go. */
const MAX_NAMES = 4_096;

export type ExitName = (product: Product, label: string) => string;

/**
 * What exits are called where customers look: `exit-` and 12 hexadecimal digits. An exit has the same name on every
 * instance and after every start, and nobody can tell from it, or find out by trying, what is behind it: it is an HMAC
 * over product and label, under a key derived from MASTER_KEY. The password is not in it, and may change.
 */
export function createExitName({ exitNames }: Pick<Keyring, 'exitNames'>): ExitName {
  const known = new Map(PRODUCTS.map((product) => [product, new LRUCache<string, string>({ max: MAX_NAMES })]));
  return (product, label) => {
    const names = known.get(product);
    const found = names?.get(label);
    if (found !== undefined) return found;
    const subject = `${product} ${label}`;
    const name = `exit-${createHmac('sha256', exitNames).update(subject).digest('hex').slice(0, DIGITS)}`;
    names?.set(label, name);
    return name;
  };
}
