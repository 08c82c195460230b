import { PRICE_PER_BYTE, type Product } from '../units.ts';
import type { Clock } from './clock.ts';
import { OPEN_TIMEOUT_MS } from './limits.ts';
import type { KeyMeter, Opener } from './meter.ts';
import type { Opened } from './session.ts';

/**
 * Opens a session as soon as the key has credit for one byte: at once, or when the ledger has
 * answered.
 * @param hurry asks the ledger
 */
export function openWhenCovered(
  meter: KeyMeter,
  product: Product,
  { clock, hurry }: { readonly clock: Clock; readonly hurry: (meter: KeyMeter) => void },
): Opened | Promise<Opened> {
  const price = Number(PRICE_PER_BYTE[product]);
  meter.price = Math.max(meter.price, price);
  if (meter.covers(price)) return { session: meter.open(product) };
  return new Promise((resolve) => {
    const cancel = clock.after(OPEN_TIMEOUT_MS, () => {
      meter.openers.delete(opener);
      resolve({ refusal: 'SERVICE_UNAVAILABLE' });
    });
    const opener: Opener = {
      price,
      admit: () => {
        cancel();
        resolve({ session: meter.open(product) });
      },
      refuse: (refusal) => {
        cancel();
        resolve({ refusal });
      },
    };
    meter.openers.add(opener);
    hurry(meter);
  });
}
